/** Answering-machine detection. The sandbox knows who answered; it only takes its time to say so. */
import type { CallbackTarget } from "../callbacks.ts";
import type { Call } from "./call.ts";

export interface MachineDetection {
  readonly mode: "Enable" | "DetectMessageEnd";
  /** The call waits for the verdict. Otherwise it goes on, and the verdict goes to `target`. */
  readonly blocking: boolean;
  readonly target: CallbackTarget | null;
}

const DEFAULT_DELAY_MS = 300;
/** How much longer it takes to wait for the end of a greeting. */
const GREETING_MS = 3000;

/** Calls `ready` when the call may go on: at once, or when the verdict is in. */
export function detectMachine(call: Call, how: MachineDetection, machine: boolean, ready: () => void): void {
  const { core } = call;
  const startedMs = core.clock.monotonicMs();
  const toTheEnd = machine && how.mode === "DetectMessageEnd";
  const verdict = !machine ? "human" : toTheEnd ? "machine_end_beep" : "machine_start";
  const delayMs = (core.options.amdDelayMs ?? DEFAULT_DELAY_MS) + (toTheEnd ? GREETING_MS : 0);
  if (!how.blocking) ready();
  const cancel = core.timers.after(delayMs, () => {
    if (call.ended) return;
    call.answeredBy = verdict;
    if (how.target) {
      core.callbacks.send({
        target: how.target,
        fields: [
          ["AccountSid", core.accountSid],
          ["CallSid", call.sid],
          ["AnsweredBy", verdict],
          ["MachineDetectionDuration", String(Math.round(core.clock.monotonicMs() - startedMs))],
        ],
        product: "voice",
        event: verdict,
        callSid: call.sid,
      });
    }
    if (how.blocking) ready();
  });
  call.onEnd(cancel);
}
