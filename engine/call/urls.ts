/** Every URL that the engine gives away, on the configured public origin and never on a Host header. */

/** Retries for callbacks: by default Twilio repeats only on a failed connect. The fragment is not signed. */
const RETRY = "#rc=3&rp=all";

export interface Urls {
  readonly origin: string;
  /** `wss://…/twilio/media`; `ws:` only when the origin itself is plain http (loopback, emulators). */
  readonly media: string;
  conferenceCallback(callSid: string): string;
  legStatus(callSid: string, label: string): string;
  streamStatus(callSid: string, label: string): string;
  afterDial(callSid: string): string;
  afterStream(callSid: string, label: string): string;
  goodbye(callSid: string): string;
  afterFallback(callSid: string): string;
  human(callSid: string, label: string): string;
  /** `round` counts how often the person was asked, from 1. */
  humanKey(callSid: string, label: string, round: number): string;
  humanAfterDial(callSid: string, label: string): string;
  humanMenu(callSid: string, label: string, round: number): string;
  messageStatus(callSid: string, label: string): string;
  /** Not for Twilio but for people: the page that a text or push links to. */
  ack(token: string): string;
}

export function createUrls(publicUrl: string): Urls {
  const origin = publicUrl.replace(/\/+$/, "");
  const of = (path: string, call: string, label?: string): string => {
    const query = label === undefined ? `call=${call}` : `call=${call}&label=${encodeURIComponent(label)}`;
    return `${origin}/twilio/${path}?${query}`;
  };
  return {
    origin,
    media: `${origin.replace(/^http/, "ws")}/twilio/media`,
    conferenceCallback: (call) => of("conference", call) + RETRY,
    legStatus: (call, label) => of("leg-status", call, label) + RETRY,
    streamStatus: (call, label) => of("stream-status", call, label) + RETRY,
    afterDial: (call) => of("after-dial", call),
    afterStream: (call, label) => of("after-stream", call, label),
    goodbye: (call) => of("goodbye", call),
    afterFallback: (call) => of("after-fallback", call),
    human: (call, label) => of("human", call, label),
    humanKey: (call, label, round) => `${of("human-key", call, label)}&round=${round}`,
    humanAfterDial: (call, label) => of("human-after-dial", call, label),
    humanMenu: (call, label, round) => `${of("human-menu", call, label)}&round=${round}`,
    messageStatus: (call, label) => of("message-status", call, label) + RETRY,
    ack: (token) => `${origin}/ack/${token}`,
  };
}
