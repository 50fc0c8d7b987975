/** What all calls of an engine count together, for `/metrics`, and where their spans go. */
import { VoiceMetrics } from "./call/voice-metrics.ts";
import { CostMetrics } from "./cost/cost-metrics.ts";
import { MediaMetrics } from "./media/media-metrics.ts";
import type { Clock, Ids } from "./ports.ts";
import { Tracing } from "./tracing/tracing.ts";
import type { SpanExporter } from "./tracing-port.ts";

export type Measures = ReturnType<typeof createMeasures>;

export interface MeasuresOptions {
  readonly clock: Clock;
  readonly ids: Ids;
  /** Left out: there are no spans. */
  readonly tracer?: SpanExporter;
}

export function createMeasures({ clock, ids, tracer }: MeasuresOptions) {
  return {
    mediaMetrics: new MediaMetrics(),
    voiceMetrics: new VoiceMetrics(),
    costMetrics: new CostMetrics(),
    tracing: tracer ? new Tracing({ clock, ids, exporter: tracer }) : null,
  };
}
