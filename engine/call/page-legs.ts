import type { AnyActorRef } from "xstate";
import type { EffectAnswer } from "./effect-answer.ts";

export interface LegUp {
  readonly label: string;
  readonly callSid: string;
}

const MAKES_A_LEG: ReadonlySet<string> = new Set(["carrier.addAi", "page.call"]);

/** The leg that an effect has made. When its call is over by then, it would be nobody's. */
export function legMade(answer: EffectAnswer): LegUp | null {
  if (answer.type !== "effect.done" || !MAKES_A_LEG.has(answer.name)) return null;
  const { label, callSid } = answer;
  return callSid && label !== null ? { label, callSid } : null;
}

/** What of a snapshot is read here: a ladder's has the pages among its children, a page's its leg. */
interface Seen {
  readonly status: string;
  readonly context?: {
    readonly label?: unknown;
    readonly legSid?: unknown;
    readonly status?: unknown;
  };
  readonly children?: Readonly<Record<string, AnyActorRef | undefined>>;
}

/** The phones that ring, or are spoken to, for the pages below these actors. For when nobody else will end them. */
export function pageLegs(children: Seen["children"] = {}): readonly LegUp[] {
  return Object.values(children).flatMap((child) => {
    const seen = child?.getSnapshot() as Seen | undefined;
    if (seen?.status !== "active") return [];
    const { label, legSid, status } = seen.context ?? {};
    const own =
      typeof label === "string" && typeof legSid === "string" && status !== "gone"
        ? [{ label, callSid: legSid }]
        : [];
    return [...own, ...pageLegs(seen.children)];
  });
}
