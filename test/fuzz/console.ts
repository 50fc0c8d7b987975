/** `/api`, the pages of the console, and its two sockets, with every right and with none. */
import type { Dice } from "../sim/dice.ts";
import { ON_CALL } from "../support/world.ts";
import { Broken, count, createEpochs, type Edge, type Input } from "./edge.ts";
import { mangleBytes, mangleJson, mangleText, oddJson, oneOf, randomBytes, scrap, shown } from "./mangle.ts";
import { endSocket } from "./media.ts";
import { type Answer, frameOf, type FrameOptions, RawSocket, rawRequest } from "./raw.ts";
import type { Caller, Target } from "./target.ts";
import { checkAnswer, headerText, sidOf } from "./webhooks.ts";

const EPOCH = 200;
const CALLS = 4;

type Right = "operator" | "viewer" | "wrong" | "none";

/** What stands for a call that is live, or was, until it is known which. */
const CALL = /@call(\d)@/g;

function callOf(dice: Dice): string {
  return dice.chance(0.95) ? `@call${dice.between(0, CALLS - 1)}@` : sidOf("CA", dice.between(1, 9));
}

function commandOf(dice: Dice): unknown {
  return dice.pick<unknown>(
    [3, { command: "escalate", to: dice.chance(0.5) ? ON_CALL : null, reason: "pain", urgency: "high" }],
    [1, { command: "escalate", reason: scrap(dice).trim().slice(0, 1000) || "x" }],
    [1, { command: "coach" }],
    [1, { command: "remove" }],
    [1, { command: "restore" }],
    [1, { command: "hold" }],
    [1, { command: "resume" }],
    [1, { command: "hangup" }],
  );
}

function pathOf(dice: Dice): string {
  const sid = callOf(dice);
  const q = (): string => encodeURIComponent(scrap(dice).toWellFormed()).slice(0, 4000);
  const path = dice.pick(
    [3, "/api/calls"],
    [3, `/api/calls?limit=${dice.between(-1, 501)}&state=${oneOf(dice, ["streaming", "ended", "x", ""])}`],
    [1, `/api/calls?before=${sid}&limit=5`],
    [1, `/api/calls?${q()}=${q()}`],
    [4, `/api/calls/${sid}`],
    [2, `/api/calls/${sid}/events`],
    [1, `/api/calls/${sid}/postcall/events`],
    [2, `/api/calls/${sid}/next`],
    [1, `/api/calls/${sid}/verify`],
    [1, `/api/calls/${sid}/recordings/coach.wav`],
    [1, `/api/calls/${q()}/${q()}`],
    [1, `/api/export?format=${oneOf(dice, ["csv", "ndjson", q()])}&from=${oneOf(dice, ["2026-01-01", q()])}`],
    [1, "/api/machines"],
    [1, `/api/machines/${oneOf(dice, ["call", "ladder", "page", "__proto__", q()])}`],
    [1, `/api/machines/call?${q()}`],
    [1, "/api/session"],
    [1, "/api/sandbox"],
    [1, "/console"],
    [1, `/console/${q()}`],
    [1, "/console/../../package.json"],
    [1, "/console/%2e%2e/%2e%2e/package.json"],
    [1, `/api/${q()}`],
  );
  return dice.chance(0.1) ? encodeURI(mangleText(dice, path).toWellFormed()).slice(0, 6000) : path;
}

function authOf(dice: Dice, right: Right): readonly string[] {
  if (right === "operator" || right === "viewer") return [`Authorization: Bearer @${right}@`];
  const junk = headerText(scrap(dice));
  if (right === "wrong")
    return [`Authorization: ${oneOf(dice, ["Bearer ", "Basic ", "bearer  ", ""])}${junk}`, `Cookie: ${junk}`];
  return dice.chance(0.3) ? [`Cookie: tandem_console=${junk}`] : [];
}

interface Draft {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly string[];
  readonly body: string;
  readonly right: Right;
  readonly cutAt: number;
}

function rightOf(dice: Dice): Right {
  return dice.pick<Right>([6, "operator"], [3, "viewer"], [1, "wrong"], [2, "none"]);
}

function requestOf(dice: Dice): Draft {
  const right = rightOf(dice);
  const command = dice.chance(0.35);
  const path = command ? `/api/calls/${callOf(dice)}/commands` : pathOf(dice);
  const body = command
    ? oddJson(dice, dice.chance(0.4) ? mangleJson(dice, commandOf(dice)) : commandOf(dice))
    : "";
  const method = command ? "POST" : dice.pick([12, "GET"], [1, "POST"], [1, "HEAD"], [1, "DELETE"]);
  const more = dice.chance(0.15)
    ? [
        `${oneOf(dice, ["Origin", "Host", "X-Forwarded-For", "Range", "If-None-Match"])}: ${headerText(scrap(dice))}`,
      ]
    : [];
  return {
    method,
    path,
    headers: [...authOf(dice, right), ...more],
    body,
    right,
    cutAt: dice.chance(0.1) ? dice.between(1, 120) : 0,
  };
}

/** Signing in costs nothing to try. */
function signInOf(dice: Dice): Draft {
  const body = dice.pick(
    [3, `token=${encodeURIComponent(scrap(dice).toWellFormed())}`],
    [1, "token=@operator@"],
  );
  const path = oneOf(dice, ["/console/sign-in", "/console/sign-out"]);
  return { method: "POST", path, headers: [], body, right: "none", cutAt: 0 };
}

interface SocketPlan {
  readonly path: string;
  readonly headers: readonly string[];
  readonly right: Right;
  readonly frames: readonly {
    readonly text: string;
    readonly options: FrameOptions;
    readonly raw: boolean;
  }[];
  readonly end: "close" | "vanish" | "wait";
}

function socketOf(dice: Dice): SocketPlan {
  const right = rightOf(dice);
  const frames = dice.times(dice.between(0, 12), () => {
    const watch = { watch: dice.chance(0.8) ? callOf(dice) : null };
    const options: FrameOptions = dice.chance(0.85)
      ? {}
      : oneOf<FrameOptions>(dice, [
          { opcode: dice.between(0, 15) },
          { reserved: dice.between(1, 7) },
          { masked: false },
          { claims: 2 ** 33 },
          { fin: false },
        ]);
    const text = dice.chance(0.5) ? JSON.stringify(watch) : oddJson(dice, mangleJson(dice, watch));
    const raw = dice.chance(0.05);
    return { text: raw ? mangleBytes(dice, randomBytes(dice)).toString("latin1") : text, options, raw };
  });
  return {
    path: oneOf(dice, ["/api/switchboard", "/api/feed", "/api/switchboard?x=1"]),
    headers: authOf(dice, right),
    right,
    frames,
    end: dice.pick([3, "close"], [3, "vanish"], [1, "wait"]),
  };
}

/** Puts in what only whoever has the engine knows. */
type Fill = (text: string) => string;

async function request(draft: Draft, from: string, target: Target, fill: Fill): Promise<Answer | null> {
  const body = Buffer.from(fill(draft.body), "utf8");
  const hasHost = draft.headers.some((line) => line.startsWith("Host:"));
  const lines = [
    `${draft.method} ${fill(draft.path)} HTTP/1.1`,
    ...(hasHost ? [] : [`Host: 127.0.0.1:${target.port}`]),
    "Connection: close",
    ...draft.headers.map(fill),
    `Content-Length: ${body.length}`,
  ];
  const bytes = Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), body]);
  const answer = await rawRequest(bytes, { port: target.port, from }, { cutAt: draft.cutAt });
  if (answer) check(answer, draft, target);
  return answer;
}

/** Operators may read what was said; nobody else may, and for whom has no right nothing is done at all. */
function check(answer: Answer, { right, path }: Draft, target: Target): void {
  if (right !== "operator") checkAnswer(answer, target);
  else if (answer.status === 500) throw new Broken(`the answer is 500: ${answer.body}`);
  const open = answer.status < 300 && path.startsWith("/api/");
  if (open && (right === "none" || right === "wrong"))
    throw new Broken(`${path} answers ${answer.status} without the right`);
}

async function socket(plan: SocketPlan, from: string, target: Target, fill: Fill): Promise<boolean> {
  const headers = plan.headers.map(fill);
  const ws = new RawSocket({ path: plan.path, headers }, { port: target.port, from });
  if (!(await ws.opened())) {
    if (ws.status === 500) throw new Broken("the upgrade is answered 500");
    ws.destroy();
    return false;
  }
  if (plan.right === "none" || plan.right === "wrong")
    throw new Broken("a socket without the right was opened");
  for (const { text, options, raw } of plan.frames)
    await ws.send(raw ? Buffer.from(text, "latin1") : frameOf(Buffer.from(fill(text)), options));
  await endSocket(plan.end, ws);
  if (plan.right === "viewer") target.look(Buffer.concat(ws.received).toString("utf8"));
  return true;
}

export function createConsoleEdge(): Edge {
  const depth: Record<string, number> = {};
  let callers: readonly Caller[] = [];
  const switchTo = createEpochs(async (target, next) => {
    for (const caller of callers) await caller.hangUp();
    callers = [];
    for (let i = 0; next !== null && i < CALLS; i++)
      callers = [...callers, await target.dial((next % 4) * CALLS + i)];
  });
  const fillFor =
    ({ consoleToken, viewerToken }: Target): Fill =>
    (text) =>
      text
        .replaceAll("@operator@", consoleToken)
        .replaceAll("@viewer@", viewerToken)
        .replaceAll(CALL, (_, nth: string) => callers[Number(nth)]?.callSid ?? "CA0");
  return {
    name: "console",
    depth,
    warmUpInputs: 400,
    together: 4,
    expected: [],
    draw: (dice, at): Input => {
      const from = `127.0.0.${dice.between(10, 99)}`;
      const plan = dice.chance(0.2) ? socketOf(dice) : dice.chance(0.03) ? signInOf(dice) : requestOf(dice);
      return {
        shown: () => shown({ from, ...plan }),
        send: async (target) => {
          await switchTo(target, Math.floor(at / EPOCH));
          const fill = fillFor(target);
          if ("frames" in plan)
            count(depth, (await socket(plan, from, target, fill)) ? "socket" : "socket refused");
          else count(depth, String((await request(plan, from, target, fill))?.status ?? "closed"));
        },
      };
    },
    settle: async (target) => await switchTo(target, null),
  };
}
