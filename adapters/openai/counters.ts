/** What the adapter counts since it was made, over all sessions. Names are stable: they become metrics. */
export interface Counters {
  sessionsOpened: number;
  reconnects: number;
  recycles: number;
  /** Caller audio that was not sent: the socket's buffer was full. */
  audioDroppedOverflow: number;
  /** Caller audio that was not sent: no session was ready, or the text was not base64. */
  audioDroppedUnsendable: number;
  /** Audio of the model that came after its response was cut off. */
  lateDeltasDropped: number;
  malformedFrames: number;
  ignoredEvents: number;
  rejectedEvents: number;
  /** A truncate that named more audio than the server holds: a bug in the accounting of heard audio. */
  truncateOvershoots: number;
  responseRetries: number;
  /** Turns of callers whose words could not be written down. */
  transcriptionsFailed: number;
  warningsSuppressed: number;
  sinkErrors: number;
  historyEntriesDropped: number;
}

export function newCounters(): Counters {
  return {
    sessionsOpened: 0,
    reconnects: 0,
    recycles: 0,
    audioDroppedOverflow: 0,
    audioDroppedUnsendable: 0,
    lateDeltasDropped: 0,
    malformedFrames: 0,
    ignoredEvents: 0,
    rejectedEvents: 0,
    truncateOvershoots: 0,
    responseRetries: 0,
    transcriptionsFailed: 0,
    warningsSuppressed: 0,
    sinkErrors: 0,
    historyEntriesDropped: 0,
  };
}
