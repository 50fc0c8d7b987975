/** The bridges that Tandem is measured against, each a process that keeps the contract of a system under test. */
import { join } from "node:path";

export interface Peer {
  readonly name: string;
  /** What to start; `null` when the machine has nothing to start it with. */
  readonly command: readonly string[] | null;
  /** It does less than a phone call needs: a floor for its sockets, not something to choose instead. */
  readonly floor: boolean;
}

export const NO_NODE = "there is no node on this machine's path";

/** All of them, on a machine with Node; those for Node have no command on a machine without. */
export function listPeers(): readonly Peer[] {
  const node = Bun.which("node");
  const bun = process.execPath;
  const peer = (name: string, runtime: string | null, floor: boolean, ...script: string[]): Peer => {
    const [file = "", ...args] = script;
    const command = runtime === null ? null : [runtime, join(import.meta.dir, "sut", file), ...args];
    return { name, command, floor };
  };
  return [
    peer("OpenAI Agents SDK on Node", node, false, "openai-agents.mjs"),
    peer("OpenAI Agents SDK on Bun", bun, false, "openai-agents.mjs"),
    peer("Twilio's sample on Node", node, false, "fastify-sample.mjs"),
    peer("ws relay on Node", node, true, "ws-relay.mjs"),
    peer("ws relay on Bun, Bun's ws", bun, true, "ws-relay.mjs"),
    peer("ws relay on Bun, npm's ws", bun, true, "ws-relay.mjs", "own-code"),
  ];
}
