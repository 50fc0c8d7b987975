/** What a test caller does in a call, as data. */

/**
 * Who acts: `caller`, or somebody on call by the name of their rung (`primary`, `secondary`, `fallback-1`);
 * `on-call` is the first of them.
 */
export type Actor = string;

interface Common {
  /** The call may end here (or the wait may run out of time) without that being a failure. */
  readonly optional?: boolean;
}

interface Timed extends Common {
  readonly timeoutMs?: number;
}

export type OperatorStep =
  | { readonly command: "escalate"; readonly reason: string }
  | { readonly command: "coach" | "remove" | "restore" | "hangup" };

/** What only somebody on call does; their phone must be connected. */
export type PersonStep =
  | ({ readonly do: "await-ring"; readonly who: Actor } & Timed)
  | ({ readonly do: "answer"; readonly who: Actor } & Common)
  /** Lets it ring until it stops; by default as long as a rung of the ladder may take. */
  | ({ readonly do: "ignore"; readonly who: Actor } & Timed)
  | ({ readonly do: "decline"; readonly who: Actor } & Common)
  | ({ readonly do: "press"; readonly digits: string; readonly who: Actor } & Common)
  /** Waits for an SMS that has come since the phone was connected, and has this text in it. */
  | ({ readonly do: "await-sms"; readonly who: Actor; readonly text?: string } & Timed)
  | ({ readonly do: "send-sms"; readonly who: Actor; readonly body: string } & Common)
  /** Follows the link of the last SMS as a person does: looks at the page, then acknowledges. */
  | ({ readonly do: "open-ack-link"; readonly who: Actor } & Common)
  /** Waits for a whisper of the AI to `who`, and fails if the caller's ear has had any of it. */
  | ({ readonly do: "check-whisper"; readonly who: Actor } & Timed);

export type Step =
  /** Synthesises and says a text. */
  | ({ readonly do: "say"; readonly text: string; readonly who?: Actor } & Common)
  /** Says μ-law; `text` is what it says, if that is known. */
  | ({ readonly do: "play"; readonly ulaw: Uint8Array; readonly text?: string } & Common)
  /** Waits until the other side has spoken since the last own words, and has been quiet for `quietMs`. */
  | ({ readonly do: "await-turn"; readonly who?: Actor; readonly quietMs?: number } & Timed)
  /** Waits until the other side has spoken for `speechMs`. */
  | ({ readonly do: "await-speech"; readonly who?: Actor; readonly speechMs: number } & Timed)
  /** When the other side has spoken for `afterMs`, speaks into it; it must fall quiet before `quietWithinMs`. */
  | ({
      readonly do: "interrupt";
      readonly text: string;
      readonly afterMs: number;
      readonly quietWithinMs?: number;
    } & Timed)
  /** Waits for one of the call's states. */
  | ({ readonly do: "await-state"; readonly state: string | readonly string[] } & Timed)
  /** Waits for the other side to end the call. */
  | ({ readonly do: "await-end" } & Timed)
  | ({ readonly do: "pause"; readonly ms: number } & Common)
  /** A command of the operator; `escalate` names the first number on call. `unlessRung`: not if a phone was rung. */
  | ({
      readonly do: "command";
      readonly operator: OperatorStep;
      readonly unlessRung?: boolean;
    } & Common)
  /** Connects the phones of people on call. */
  | { readonly do: "register"; readonly who: readonly Actor[] }
  | PersonStep
  | { readonly do: "hang-up"; readonly who?: Actor };

export interface Scenario {
  readonly name: string;
  readonly summary: string;
  readonly steps: readonly Step[];
}

/** A step in a few words, for messages. */
export function describeStep(step: Step): string {
  const who =
    "who" in step && step.who !== undefined && step.who !== "caller" ? `${[step.who].flat().join(" ")} ` : "";
  switch (step.do) {
    case "say":
    case "interrupt":
      return `${who}${step.do} "${step.text}"`;
    case "await-state":
      return `await-state ${[step.state].flat().join(" or ")}`;
    case "command":
      return `command ${step.operator.command}`;
    case "press":
      return `${who}press ${step.digits}`;
    case "send-sms":
      return `${who}send-sms "${step.body}"`;
    default:
      return `${who}${step.do}`;
  }
}

/** Each text once, in the order in which it is said. */
export function textsOf(steps: readonly Step[]): readonly string[] {
  return [
    ...new Set(steps.flatMap((step) => (step.do === "say" || step.do === "interrupt" ? [step.text] : []))),
  ];
}
