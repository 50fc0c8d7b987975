import { createHash } from "node:crypto";
import { callMachine } from "../../machines/call.machine.ts";
import { incidentMachine } from "../../machines/incident.machine.ts";
import { ladderMachine } from "../../machines/ladder.machine.ts";
import { pageMachine } from "../../machines/page.machine.ts";
import { postCallMachine } from "../../machines/postcall.machine.ts";
import { canonical } from "../platform/canonical.ts";

const MACHINES = [callMachine, ladderMachine, pageMachine, incidentMachine, postCallMachine];

/**
 * Names the machines of this engine, in hex: a SHA-256 over their charts, with guards, actions and actors by
 * name. What those do inside is not part of it.
 */
export const MACHINE_HASH = createHash("sha256")
  .update(canonical(MACHINES.map((machine) => machine.definition)).text)
  .digest("hex");
