/**
 * The wire vocabulary, taken from the types of the `openai` package so that a wrong event does not compile.
 */
import type {
  ConversationItem,
  RealtimeError,
  RealtimeResponse,
  RealtimeResponseUsage,
  RealtimeServerEvent,
} from "openai/resources/realtime/realtime";

type WithoutEventId<T> = T extends unknown ? Omit<T, "event_id"> : never;

/** A server event before the session stamps it with an `event_id`. */
export type ServerEvent = WithoutEventId<RealtimeServerEvent>;

export type Item = ConversationItem;
export type ItemStatus = "completed" | "incomplete" | "in_progress";
export type ResponseObject = RealtimeResponse;
export type Usage = RealtimeResponseUsage;
/** What `error.error` holds, without the echo of the client's event id. */
export type ProtocolError = Required<Pick<RealtimeError, "type" | "code" | "message" | "param">>;

/** A declared function; `parameters` is a JSON Schema. */
export interface FunctionTool {
  readonly type: "function";
  readonly name: string;
  readonly description?: string | undefined;
  readonly parameters?: unknown;
}

export type AudioFormat = "audio/pcm" | "audio/pcmu" | "audio/pcma";

/** Sends one event to the client. */
export type Send = (event: ServerEvent) => void;
