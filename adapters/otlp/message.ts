/**
 * Spans as OTLP's JSON (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): ids in hex, 64-bit numbers
 * as decimal texts, enums as numbers.
 */
import type { Span } from "../../engine/tracing-port.ts";

export interface Service {
  readonly name: string;
  readonly version: string;
}

const KIND_INTERNAL = 1;
const STATUS_ERROR = 2;

/** The body of one `POST /v1/traces`. */
export function traceMessage(spans: readonly Span[], service: Service): string {
  const resource = {
    attributes: [attribute("service.name", service.name), attribute("service.version", service.version)],
  };
  const scope = { name: "tandem", version: service.version };
  return JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ scope, spans: spans.map(spanOf) }] }] });
}

function spanOf({ traceId, spanId, parentId, name, startMs, endMs, failed, facts }: Span) {
  return {
    traceId,
    spanId,
    ...(parentId !== null && { parentSpanId: parentId }),
    name,
    kind: KIND_INTERNAL,
    startTimeUnixNano: nanos(startMs),
    endTimeUnixNano: nanos(Math.max(startMs, endMs)),
    attributes: Object.entries(facts).map(([key, value]) => attribute(key, value)),
    ...(failed && { status: { code: STATUS_ERROR } }),
  };
}

function attribute(key: string, value: string | number) {
  if (typeof value === "string") return { key, value: { stringValue: value } };
  if (Number.isInteger(value)) return { key, value: { intValue: String(value) } };
  return { key, value: { doubleValue: value } };
}

/** Of epoch milliseconds: more digits than a number holds. */
function nanos(ms: number): string {
  const whole = Math.floor(ms);
  return `${whole}${String(Math.floor((ms - whole) * 1_000_000)).padStart(6, "0")}`;
}
