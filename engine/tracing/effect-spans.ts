import type { EffectAnswer, NamedEffect } from "../call/effect-answer.ts";
import { OUTCOME_UNKNOWN } from "../errors.ts";
import { RecentMap } from "../platform/recent-map.ts";
import type { Clock } from "../ports.ts";
import type { Span } from "../tracing-port.ts";

/** What is told of a span that is a part of its call. */
export type ChildSpan = Omit<Span, "traceId" | "spanId" | "parentId">;

interface Open {
  readonly startMs: number;
  attempts: number;
}

/** A call has a few under way; of more than these the oldest have no span. */
const MAX_OPEN = 256;

/** A span for each effect, from when it is asked for to its answer. */
export class EffectSpans {
  readonly #clock: Pick<Clock, "now">;
  readonly #emit: (span: ChildSpan) => void;
  readonly #open = new RecentMap<string, Open>(MAX_OPEN);

  constructor(clock: Pick<Clock, "now">, emit: (span: ChildSpan) => void) {
    this.#clock = clock;
    this.#emit = emit;
  }

  begin({ id }: NamedEffect): void {
    this.#open.set(id, { startMs: this.#clock.now(), attempts: 1 });
  }

  /** What another engine had begun was not done, and is begun again. */
  repeat({ id }: NamedEffect): void {
    const open = this.#open.get(id);
    if (open) open.attempts++;
  }

  end(answer: EffectAnswer): void {
    const { id, name } = answer;
    const open = this.#open.get(id);
    if (!open) return;
    this.#open.delete(id);
    const failed = answer.type === "effect.failed";
    const result = !failed ? "done" : answer.code === OUTCOME_UNKNOWN ? "dead" : "failed";
    this.#emit({
      name: `effect ${name}`,
      startMs: open.startMs,
      endMs: this.#clock.now(),
      failed,
      facts: {
        "tandem.effect.name": name,
        "tandem.effect.result": result,
        "tandem.effect.attempts": open.attempts,
        ...(failed && { "tandem.effect.code": answer.code, "tandem.effect.status": answer.status }),
      },
    });
  }
}
