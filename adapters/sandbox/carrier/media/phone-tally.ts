/** What the phones have done since start. Plain numbers, counted up by all parts of the hub. */
export interface PhoneTally {
  /** Upgrades refused: no upgrades, or too many sockets. */
  upgradesRefused: number;
  /** Messages answered with an error. */
  errors: number;
  /** Sockets closed because they kept sending what was refused. */
  closedForAbuse: number;
  micFrames: number;
  /** Lost because a microphone's buffer was full or nobody listened yet, or too late for one that is off. */
  micDropped: number;
  /** Silent frames, and cuts in speech, taken out to bring a microphone's delay down. */
  micTrimmed: number;
  micCompressions: number;
  /** Frames made up while a phone sent nothing. */
  micConcealed: number;
  earFrames: number;
  /** Lost because the phone read too slowly. */
  earDropped: number;
  utterances: number;
  smsDelivered: number;
  smsSent: number;
  /** Lost because an inbox, or the number of inboxes, was full. */
  smsDropped: number;
  /** What the carrier's callbacks threw. */
  callbackErrors: number;
}

export function newPhoneTally(): PhoneTally {
  return {
    upgradesRefused: 0,
    errors: 0,
    closedForAbuse: 0,
    micFrames: 0,
    micDropped: 0,
    micTrimmed: 0,
    micCompressions: 0,
    micConcealed: 0,
    earFrames: 0,
    earDropped: 0,
    utterances: 0,
    smsDelivered: 0,
    smsSent: 0,
    smsDropped: 0,
    callbackErrors: 0,
  };
}
