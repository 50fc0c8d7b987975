/** Who is on call in a driven world, and the phones that ring there. */
import type { PhoneLine, RingOutcome } from "../../../adapters/sandbox/types.ts";
import { type DeploymentInput, deploymentSchema } from "../../../engine/config/deployment.ts";
import { Line } from "../../sim/people.ts";

export const CALLER = "+15550142";
/** Where pushes to this person go: to the sandbox's own receiver. */
export const pushTo = (name: string): string => `http://127.0.0.1:${CARRIER_PORT}/sandbox/push/${name}`;
const CARRIER_PORT = 10_001;

export const NURSE = { name: "nurse", voice: "+15550100" } as const;
export const DOCTOR = { name: "doctor", voice: "+15550101" } as const;

type Contact = NonNullable<
  NonNullable<NonNullable<DeploymentInput["escalation"]>["rungs"]>[number]["contacts"]
>[number];

export interface Setup {
  /** One rung each; the nurse, then the doctor, when left out. */
  readonly rungs?: readonly (readonly Contact[])[];
  readonly escalation?: Omit<NonNullable<DeploymentInput["escalation"]>, "rungs">;
  readonly limits?: DeploymentInput["limits"];
}

export function deploymentOf({ rungs = [[NURSE], [DOCTOR]], escalation, limits }: Setup) {
  return deploymentSchema.parse({
    agent: {
      instructions: "Help.",
      greeting: "Hello there, how can I help?",
      coachInstructions: "Whisper.",
      apology: "I am sorry.",
    },
    escalation: {
      ackTimeoutMs: 20_000,
      againAfterMs: 5000,
      ...escalation,
      rungs: rungs.map((contacts, index) => ({ name: `rung ${index}`, contacts: [...contacts] })),
    },
    limits: { modelReadyTimeoutMs: 5000, arriveTimeoutMs: 20_000, ...limits },
    media: { leadMs: 200, chunkMs: 100, markEveryMs: 200 },
  });
}

type Outcome = (outcome: RingOutcome, line: PhoneLine | null) => void;

/** A phone that rings. */
export class Phone {
  readonly callSid: string;
  readonly line: Line;
  readonly #outcome: Outcome;

  constructor(number: string, callSid: string, outcome: Outcome) {
    this.callSid = callSid;
    this.line = new Line(number, () => undefined);
    this.#outcome = outcome;
  }

  picksUp(): this {
    this.#outcome("answered", this.line);
    return this;
  }

  voicemail(): void {
    this.#outcome("voicemail", this.line);
  }

  busy(): void {
    this.#outcome("busy", null);
  }

  presses(key: string): this {
    this.line.press(key);
    return this;
  }

  hangsUp(): void {
    this.line.leave();
  }
}
