/** What all calls of an engine count together, for `/metrics`. */
import { VoiceMetrics } from "./call/voice-metrics.ts";
import { CostMetrics } from "./cost/cost-metrics.ts";
import { MediaMetrics } from "./media/media-metrics.ts";

export type Measures = ReturnType<typeof createMeasures>;

export function createMeasures() {
  return {
    mediaMetrics: new MediaMetrics(),
    voiceMetrics: new VoiceMetrics(),
    costMetrics: new CostMetrics(),
  };
}
