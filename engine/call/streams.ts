/** Joins the gateway of media streams with the calls whose streams they are. */
import { MediaGateway, type MediaGatewayOptions } from "../media/gateway.ts";
import type { CallSession } from "./call-session.ts";

type Handlers = "onStream" | "onStreamClosed" | "onFork" | "onForkClosed";

export interface StreamsOptions extends Omit<MediaGatewayOptions, Handlers> {
  /** A live call. */
  readonly call: (callSid: string) => Pick<CallSession, "streamStarted" | "streamClosed" | "heard"> | null;
}

export function createGateway({ call, ...options }: StreamsOptions): MediaGateway {
  return new MediaGateway({
    ...options,
    onStream: ({ callSid, legKey, ...stream }) =>
      call(callSid)?.streamStarted({ label: legKey, ...stream }) ?? false,
    onStreamClosed: ({ callSid, legKey, ...stream }) =>
      call(callSid)?.streamClosed({ label: legKey, ...stream }),
    onFork: ({ callSid, label, fork }) => call(callSid)?.heard.speakers?.begin(label, fork) ?? false,
    onForkClosed: ({ callSid, label, streamSid, reason }) =>
      call(callSid)?.heard.speakers?.end(label, streamSid, reason),
  });
}
