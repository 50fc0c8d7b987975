/** What the log of a call says is what the machines do again, from the log alone (design §9, 7). */
import type { ChainedEntry } from "../../engine/platform/hash-chain.ts";
import { divergenceLines } from "../../engine/audit/replay-cli.ts";
import { replay } from "../../engine/audit/replay.ts";
import { LogCheck } from "../../engine/audit/check.ts";
import type { AuditEntry } from "../../engine/ports.ts";
import type { Court } from "./court.ts";
import type { World } from "./world.ts";

/** Of so many worlds one is replayed: a replay costs as much as a good part of a world. */
const EVERY = 5;

/** To be called when everything has stopped. Where engines end, every log is checked and replayed. */
export function replayLogs({ plan, store }: World, court: Court): void {
  if (plan.crashes) for (const [callSid, log] of store.logs) checkChain(callSid, log, court);
  else if (plan.seed % EVERY !== 0) return;
  for (const log of store.logs.values()) {
    const { outcome, divergence, why } = replay(log as readonly ChainedEntry[]);
    if (outcome === "agrees") court.reached("log replayed");
    else
      court.violate(
        "replays-otherwise",
        divergence ? divergenceLines(divergence).join("; ") : (why ?? outcome),
      );
  }
}

/** Engine after engine has gone on with one chain. */
function checkChain(callSid: string, log: readonly AuditEntry[], court: Court): void {
  const check = new LogCheck({ callSid });
  for (const entry of log) check.take(JSON.stringify(entry));
  const { status, findings } = check.end();
  if (status !== "intact")
    court.violate("chain-broken", `${status} ${findings.map(({ what }) => what).join("; ")}`);
}
