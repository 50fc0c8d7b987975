/** The socket of Media Streams: every input is the whole life of one connection. */
import { signTwilioRequest } from "../../engine/http/twilio-signature.ts";
import { StreamTokens } from "../../engine/media/stream-tokens.ts";
import { systemClock } from "../../engine/platform/clock.ts";
import type { Dice } from "../sim/dice.ts";
import { ACCOUNT } from "../support/world.ts";
import { Broken, count, createEpochs, type Edge, type Input } from "./edge.ts";
import { mangleBytes, mangleJson, oddJson, oneOf, randomBytes, scrap, shown } from "./mangle.ts";
import { frameOf, type FrameOptions, OPCODE, RawSocket } from "./raw.ts";
import type { Caller, Target } from "./target.ts";

/** For how many sockets one call is there to be streamed to. */
const EPOCH = 100;
const LABEL = "ai-1";

/** What is put into a message where only the running engine knows what belongs there. */
const TOKEN = "@token@";
const USED_TOKEN = "@used@";
const CALL = "@call@";
/** The carrier has used some itself. */
const FIRST_ORDINAL = 1000;

type Step =
  | { readonly frame: string; readonly options: FrameOptions }
  /** Already whole, or broken. */
  | { readonly bytes: string }
  /** Until what was sent has been dealt with. */
  | { readonly wait: true };

type Message = Readonly<Record<string, unknown>>;

const STREAM = "MZ00000000000000000000000000000001";
const CONNECTED: Message = { event: "connected", protocol: "Call", version: "1.0.0" };

function start(dice: Dice): Message {
  const token = dice.pick([14, TOKEN], [1, USED_TOKEN], [1, scrap(dice)]);
  return {
    event: "start",
    sequenceNumber: "1",
    start: {
      accountSid: ACCOUNT.accountSid,
      streamSid: STREAM,
      callSid: CALL,
      tracks: ["inbound"],
      mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 },
      customParameters: { token },
    },
    streamSid: STREAM,
  };
}

function media(dice: Dice, nth: number): Message {
  const sequence = dice.chance(0.9) ? nth + 2 : dice.between(-5, 100_000);
  const at = dice.chance(0.9) ? nth * 20 : dice.between(-100, 4_000_000_000);
  const bytes = dice.pick([12, 160], [1, 0], [1, 1], [1, 161], [1, 4000]);
  const payload = Buffer.alloc(bytes, dice.between(0, 255)).toString("base64");
  const track = dice.pick([20, "inbound"], [1, "outbound"], [1, "x"]);
  return {
    event: "media",
    sequenceNumber: String(sequence),
    media: { track, chunk: String(nth + 1), timestamp: String(at), payload },
    streamSid: STREAM,
  };
}

function other(dice: Dice, nth: number): Message {
  const sequenceNumber = String(nth + 2);
  const base = { sequenceNumber, streamSid: STREAM };
  return dice.pick<Message>(
    [4, { ...base, event: "mark", mark: { name: oneOf(dice, ["1:0", "0:1", "g1-m2", "", scrap(dice)]) } }],
    [
      3,
      { ...base, event: "dtmf", dtmf: { track: "inbound_track", digit: oneOf(dice, ["1", "#", "x", ""]) } },
    ],
    [1, { ...base, event: "stop", stop: { accountSid: "AC", callSid: "CA" } }],
    [1, { ...base, event: scrap(dice) }],
    [1, CONNECTED],
    [1, start(dice)],
  );
}

/** The messages of one socket, in the order of the protocol or not quite. */
function messages(dice: Dice): Message[] {
  const head: Message[] = [CONNECTED, start(dice)];
  const body = dice
    .times(dice.between(0, 30), () => 0)
    .map((_, i) => (dice.chance(0.75) ? media(dice, i) : other(dice, i)));
  const all = [...head, ...body];
  if (dice.chance(0.12)) all.splice(dice.between(0, 1), 1);
  if (dice.chance(0.08)) all.splice(dice.between(0, all.length), 0, start(dice));
  if (dice.chance(0.05)) all.reverse();
  return all;
}

function steps(dice: Dice): Step[] {
  const wild = dice.pick([3, 0], [4, 0.1], [2, 0.6]);
  return messages(dice).flatMap((message, i): Step[] => {
    const after: Step[] = i === 1 || dice.chance(0.05) ? [{ wait: true }] : [];
    // Most sockets are to get as far as a stream, or nothing behind it is tried.
    const spoil = dice.chance(i < 2 ? wild / 3 : wild);
    if (!spoil) return [{ frame: JSON.stringify(message), options: {} }, ...after];
    return [...spoiled(dice, message), ...after];
  });
}

/** One message as a broken or hostile carrier might send it. */
function spoiled(dice: Dice, message: Message): Step[] {
  const text = JSON.stringify(message);
  const change = dice.between(0, 11);
  if (change <= 4) return [{ frame: oddJson(dice, mangleJson(dice, message)), options: {} }];
  if (change === 5) return [{ bytes: mangleBytes(dice, frameOf(Buffer.from(text))).toString("base64") }];
  if (change === 6) return [{ frame: text, options: { opcode: dice.between(0, 15) } }];
  if (change === 7) return [{ frame: text, options: { reserved: dice.between(1, 7) } }];
  if (change === 8) return [{ frame: text, options: { masked: false } }];
  if (change === 9) return [{ frame: text, options: { claims: oneOf(dice, [0, 1, 200_000, 2 ** 40]) } }];
  if (change === 10) return [{ bytes: randomBytes(dice).toString("base64") }];
  const at = dice.between(0, text.length);
  return [
    { frame: text.slice(0, at), options: { fin: false } },
    { frame: text.slice(at), options: { opcode: OPCODE.continuation, fin: dice.chance(0.9) } },
  ];
}

/** One call, and the tokens of its stream as the engine makes them. */
class Streamed {
  readonly caller: Caller;
  readonly #tokens: StreamTokens;
  #used = "none yet";

  constructor(caller: Caller, secret: string) {
    this.caller = caller;
    this.#tokens = new StreamTokens({ clock: systemClock, secret, ttlMs: 60_000 });
    this.#tokens.resume(caller.callSid, { [LABEL]: FIRST_ORDINAL });
  }

  fill(text: string): string {
    const { callSid } = this.caller;
    const named = text.replaceAll(CALL, callSid).replaceAll(USED_TOKEN, this.#used);
    if (!named.includes(TOKEN)) return named;
    this.#used = this.#tokens.issue({ callSid, legKey: LABEL });
    return named.replaceAll(TOKEN, this.#used);
  }
}

export function createMediaEdge(): Edge {
  const depth: Record<string, number> = {};
  let streamed: Streamed | null = null;
  const switchTo = createEpochs(async (target, next) => {
    await streamed?.caller.hangUp();
    streamed = null;
    if (next === null) return;
    const caller = await target.dial(next % 20);
    await caller.answered();
    streamed = new Streamed(caller, target.authToken);
  });
  return {
    name: "media",
    depth,
    warmUpInputs: 200,
    together: 4,
    expected: [],
    draw: (dice, at): Input => {
      const plan: SocketPlan = {
        from: `127.0.0.${dice.between(10, 99)}`,
        signed: dice.pick<SocketPlan["signed"]>([30, "right"], [1, "wrong"], [1, "none"]),
        slash: dice.chance(0.2),
        steps: steps(dice),
        end: dice.pick<SocketPlan["end"]>([3, "close"], [3, "vanish"], [1, "wait"]),
      };
      return {
        shown: () => shown(plan),
        send: async (target) => {
          await switchTo(target, Math.floor(at / EPOCH));
          const opened = await live(plan, target, (text) => streamed?.fill(text) ?? text);
          if (opened && plan.signed !== "right") throw new Broken("an unsigned socket was opened");
          count(depth, opened ? "opened" : "refused");
        },
      };
    },
    settle: async (target) => {
      await switchTo(target, null);
      depth["streamed"] = (await target.metrics()).get('tandem_media_total{counter="streams"}') ?? 0;
    },
  };
}

interface SocketPlan {
  readonly from: string;
  readonly signed: "right" | "wrong" | "none";
  readonly slash: boolean;
  readonly steps: readonly Step[];
  readonly end: "close" | "vanish" | "wait";
}

/** Whether the engine took it. */
async function live(plan: SocketPlan, target: Target, fill: (text: string) => string): Promise<boolean> {
  const path = plan.slash ? "/twilio/media/" : "/twilio/media";
  const authToken = plan.signed === "right" ? target.authToken : "another";
  const signature = signTwilioRequest({ authToken, url: `${target.origin.replace("http", "ws")}${path}` });
  const headers = plan.signed === "none" ? [] : [`X-Twilio-Signature: ${signature}`];
  const socket = new RawSocket({ path, headers }, { port: target.port, from: plan.from });
  if (!(await socket.opened())) {
    if (socket.status >= 500) throw new Broken(`the upgrade is answered ${socket.status}`);
    socket.destroy();
    return false;
  }
  await play(plan.steps, socket, fill);
  await endSocket(plan.end, socket);
  target.look(Buffer.concat(socket.received).toString("latin1"));
  return true;
}

async function play(all: readonly Step[], socket: RawSocket, fill: (text: string) => string): Promise<void> {
  for (const step of all) {
    if ("wait" in step) await ponged(socket);
    else if ("bytes" in step) await socket.send(Buffer.from(step.bytes, "base64"));
    else await socket.send(frameOf(Buffer.from(fill(step.frame)), step.options));
  }
}

/** The engine answers a ping, or has closed the socket: either way it has dealt with what came before. */
async function ponged(socket: RawSocket): Promise<void> {
  const before = socket.received.length;
  await socket.send(frameOf(Buffer.from("p"), { opcode: OPCODE.ping }));
  const clock = systemClock;
  const came = Promise.withResolvers<void>();
  // What claims to be longer than it is swallows the ping.
  const endMs = clock.monotonicMs() + 50;
  const look = (): void => {
    if (socket.received.length > before || clock.monotonicMs() > endMs) came.resolve();
    else clock.setTimeout(look, 1);
  };
  look();
  await Promise.race([came.promise, socket.closed]);
}

export async function endSocket(how: "close" | "vanish" | "wait", socket: RawSocket): Promise<void> {
  if (how === "wait") await ponged(socket);
  if (how === "close") {
    await socket.send(frameOf(Buffer.from([3, 232]), { opcode: OPCODE.close }));
    await ponged(socket);
  }
  socket.destroy();
  await socket.closed;
}
