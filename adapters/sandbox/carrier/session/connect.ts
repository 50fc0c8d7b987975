/** `<Connect><Stream>`. */
import { abortable } from "../abortable.ts";
import { CarrierAlert } from "../alerts.ts";
import type { StreamClosed } from "../media/stream-leg.ts";
import type { ConnectStream, StreamNoun } from "../twiml/document.ts";
import { goTo, resolveUrl, type Next, type Scope } from "./scope.ts";

/** Twilio: a parameter's name and value together have fewer characters than this. */
const PARAMETER_CHARS = 500;

/** Holds the stream until its server closes it or the call goes elsewhere; then action, next verb, or the end. */
export async function runConnect(scope: Scope, connect: ConnectStream): Promise<Next> {
  const { call, core } = scope;
  try {
    const { track } = connect.stream;
    if (track !== "inbound_track") {
      throw new CarrierAlert(31941, `<Connect><Stream> cannot have track="${track}"`);
    }
    const url = streamUrl(scope, connect.stream);
    await abortable<StreamClosed>(scope.signal, (done) => {
      const leg = scope.streams.open(call, connect.stream, url, done);
      const unbridge = call.media.bridge(leg);
      const unlisten = call.media.onDigits((digit) => leg.dtmf(digit));
      return () => {
        unlisten();
        unbridge();
        leg.stop();
      };
    });
  } catch (error) {
    if (!(error instanceof CarrierAlert)) throw error;
    core.alerts.raise(error.code, error.message, call.sid);
  }
  if (connect.action === null) return "continue";
  return goTo(scope, connect.action, connect.method, []);
}

/** The socket's address. Twilio takes `wss` only; to loopback, where there is no TLS, the sandbox takes `ws` too. */
export function streamUrl(scope: Scope, stream: StreamNoun): string {
  for (const [name, value] of Object.entries(stream.parameters)) {
    if (name.length + value.length >= PARAMETER_CHARS) {
      throw new CarrierAlert(12200, `<Parameter> ${name} has ${PARAMETER_CHARS} characters or more`);
    }
  }
  if (stream.url === "") throw new CarrierAlert(11100, "<Stream> has no url");
  const url = resolveUrl(scope, stream.url).replace(/^http(s?):/i, "ws$1:");
  if (!URL.canParse(url)) throw new CarrierAlert(11100, "the url of <Stream> is not a URL");
  const { protocol, hostname } = new URL(url);
  const loopback = hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.");
  if (protocol !== "wss:" && !(protocol === "ws:" && loopback)) {
    throw new CarrierAlert(31920, "the url of <Stream> must be wss");
  }
  if (/[?#]/.test(url)) {
    throw new CarrierAlert(31920, "the url of <Stream> cannot have a query: use <Parameter>");
  }
  return url;
}
