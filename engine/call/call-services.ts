/** What every call of an engine is given. */
import type { ChainedEntry } from "../platform/hash-chain.ts";
import type { Deployment } from "../config/deployment.ts";
import type { CostMetrics } from "../cost/cost-metrics.ts";
import type { Journal } from "../effects/journal.ts";
import type { MediaMetrics } from "../media/media-metrics.ts";
import type { TapeBudget } from "../media/tape.ts";
import type { PostCalls } from "../postcall/post-calls.ts";
import type { Clock, Log, Recordings, SpeechModel, Store } from "../ports.ts";
import type { Tracing } from "../tracing/tracing.ts";
import type { CallSession } from "./call-session.ts";
import type { CallLogic } from "./deadline.ts";
import type { CarrierEffects } from "./effects.ts";
import type { EscalationMetrics } from "./escalation-metrics.ts";
import type { Escalations } from "./escalations.ts";
import type { FollowUps } from "./follow-ups.ts";
import type { FeedMessage, LiveIndex } from "./live-index.ts";
import type { PageEffects } from "./page-effects.ts";
import type { VoiceMetrics } from "./voice-metrics.ts";
import type { Wording } from "./wording.ts";

export interface CallServices {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Store;
  readonly journal: Pick<Journal, "of">;
  readonly recordings: Recordings;
  /** What the legs of all calls may take until they are on disk. */
  readonly legTapes: TapeBudget;
  readonly model: SpeechModel;
  readonly effects: CarrierEffects;
  readonly pages: PageEffects;
  readonly escalations: Escalations;
  readonly escalationMetrics: EscalationMetrics;
  readonly followUps: Pick<FollowUps, "begin">;
  /** What follows each call; nothing when left out. */
  readonly postCalls?: Pick<PostCalls, "begin">;
  readonly logic: CallLogic;
  /** Origin of the engine, for the rows. */
  readonly node?: string;
  readonly provider: string;
  readonly deployment: Deployment;
  readonly wording: Wording;
  readonly mediaMetrics?: MediaMetrics;
  readonly voiceMetrics?: VoiceMetrics;
  readonly costMetrics?: CostMetrics;
  /** The speech model's, for its prices; `null`: unknown. */
  readonly modelName?: string | null;
  readonly tracing?: Tracing | null;
  readonly index: LiveIndex;
  readonly feed: (message: FeedMessage) => void;
  /** Each entry of the call's log, as it is written: it must not throw. */
  readonly onEntry?: (entry: ChainedEntry) => void;
  /** By AI leg, the last token that a stream has shown. */
  readonly usedTokens: (callSid: string) => Readonly<Record<string, number>>;
  readonly onEnded: (session: CallSession) => void;
}
