/**
 * What a caller says and what an escalation says of them is looked for in everything that leaves the engine, byte by
 * byte: it may be found only where somebody has a right to it.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { traceMessage } from "../../adapters/otlp/message.ts";
import { LogCheck } from "../../engine/audit/check.ts";
import type { CallRow, Carrier } from "../../engine/ports.ts";
import { eraseCall } from "../../engine/privacy/erasure.ts";
import { stopAfterTest } from "../support/after-test.ts";
import { begin, call, ended, untilCoaching } from "../support/steps.ts";
import { CALLER, noise, ON_CALL, type World } from "../support/world.ts";

const NAME = "Wilhelmina Quackenbush";
const SPOKEN = "five five five oh one seven three";
const PHRASE = "purple heron";
/** The sandbox's model gives what was said as the reason of the escalation. */
const SAID = `The ${PHRASE} limps, I need a nurse. My name is ${NAME}, call ${SPOKEN}.`;
const CANARIES = { name: "Quackenbush", number: SPOKEN, digits: "5550173", phrase: PHRASE, caller: CALLER };
/** What the caller's words sound like, frame by frame. */
const VOICE = noise("canary", 600);
const FRAMES = Array.from({ length: 30 }, (_, i) => Buffer.from(VOICE.subarray(i * 160, i * 160 + 160)));
type Canary = keyof typeof CANARIES | "voice";

const TOKEN = "a-console-token-for-tests";
const MATE = "+15550101";

/** Names of the canaries in a text, or in bytes. */
function found(sink: string | Buffer): Canary[] {
  const text = (typeof sink === "string" ? sink : sink.toString("latin1")).toLowerCase();
  const words = Object.entries(CANARIES).flatMap(([name, canary]) =>
    text.includes(canary.toLowerCase()) ? [name as Canary] : [],
  );
  const sounds = FRAMES.some(
    (frame) => sink.includes(frame.toString("base64")) || (typeof sink !== "string" && sink.includes(frame)),
  );
  return sounds ? [...words, "voice"] : words;
}

function filesOf(folder: string): Readonly<Record<string, Buffer>> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
  return Object.fromEntries(
    files.map(({ name, parentPath }) => [name, readFileSync(join(parentPath, name))] as const),
  );
}

/** What everybody sees, by sink. */
interface Sinks {
  readonly logLines: string;
  readonly metrics: string;
  readonly auditExport: string;
  readonly withoutRight: string;
  readonly pushes: string;
  readonly spans: string;
  /** Of the requests to the carrier all but the texts of messages and of what is said. */
  readonly carrierRequests: string;
  readonly files: Readonly<Record<string, Buffer>>;
}

/** Where something is found that may not be there. */
function leaks({ files, ...texts }: Sinks): readonly string[] {
  return Object.entries({ ...texts, ...files }).flatMap(([sink, content]) =>
    found(content)
      // The caller's text goes to the caller's number, and no other sink may have it.
      .filter((canary) => !(sink === "carrierRequests" && canary === "caller"))
      .map((canary) => `${sink}: ${canary}`),
  );
}

const WORDS: ReadonlySet<string> = new Set(["body", "twiml"]);

/** Hears what the engine asks of the carrier, from now on. */
function hearRequests(carrier: Carrier): { readonly words: string[]; readonly rest: string[] } {
  const heard = { words: [] as string[], rest: [] as string[] };
  for (const name of [
    "createCall",
    "createParticipant",
    "updateCall",
    "updateParticipant",
    "sendMessage",
  ] as const) {
    const original = carrier[name].bind(carrier) as (...args: unknown[]) => unknown;
    const hear = (...args: unknown[]): unknown => {
      const keep = (key: string, value: unknown): unknown => {
        if (!WORDS.has(key)) return value;
        heard.words.push(String(value));
        return null;
      };
      heard.rest.push(
        JSON.stringify(
          args.filter((arg) => !(arg instanceof AbortSignal)),
          keep,
        ),
      );
      return original(...args);
    };
    Object.assign(carrier, { [name]: hear });
  }
  return heard;
}

/** Every text that is said by the carrier or the model. */
function hearSpeech({ speech }: World): readonly string[] {
  const said: string[] = [];
  const { say } = speech;
  Object.assign(speech, {
    say: (text: string) => {
      said.push(text);
      return say.call(speech, text);
    },
  });
  return said;
}

/** What is kept of the call's audio: whispers, and what each of the two said. */
const TRACKS = ["coach", "caller", "human-1"] as const;

const pathsOf = (callSid: string): readonly string[] => [
  "/api/calls",
  `/api/calls/${callSid}`,
  `/api/calls/${callSid}/events`,
  ...TRACKS.map((track) => `/api/calls/${callSid}/recordings/${track}.wav`),
  "/api/feed",
  "/console",
  "/readyz",
];

/** A call whose caller says it all, up to where a nurse has it and whispers were heard; it is still live. */
async function escalated(lines: string[]) {
  const pushes: string[] = [];
  const spans: string[] = [];
  const receiver = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      pushes.push(await request.text());
      return new Response(null, { status: 204 });
    },
  });
  const contacts = [
    { name: "nurse", voice: ON_CALL },
    { name: "mate", sms: MATE, push: `http://127.0.0.1:${receiver.port}/hook` },
  ];
  const world = await begin({
    consoleToken: TOKEN,
    onLine: (line) => void lines.push(line),
    tracer: {
      export: (span) => void spans.push(traceMessage([span], { name: "tandem", version: "1" })),
      counters: () => ({ exported: spans.length, overflowed: 0, failed: 0 }),
      close: () => Promise.resolve(),
    },
    deployment: {
      recording: "leg",
      speakers: "forked",
      escalation: {
        details: { voice: "reason", sms: "reason", push: "none" },
        rungs: [{ name: "primary", contacts }],
      },
    },
  });
  stopAfterTest(() => receiver.stop(true));
  const requests = hearRequests(world.restCarrier);
  const said = hearSpeech(world);
  const nurse = (await world.phone(ON_CALL)).phone;
  nurse.register();
  const { phone, callSid } = await call(world);
  expect(await phone.speak(VOICE, SAID)).toBe("said");
  await world.until("the nurse is rung", () => nurse.state === "incoming");
  await world.until("the push is there", () => pushes.length > 0);
  await world.until("the text is sent", () => requests.words.some((text) => text.includes("TANDEM")));
  nurse.answer();
  await world.until("the briefing is heard", () => nurse.ear.heardSpeech);
  return { world, phone, nurse, callSid, pushes, spans, requests, said };
}

async function sinksOf(
  { world, callSid, pushes, spans, requests }: Awaited<ReturnType<typeof escalated>>,
  lines: readonly string[],
): Promise<Sinks> {
  const { origin } = world.engine;
  const text = async (path: string, headers: Record<string, string> = {}): Promise<string> =>
    await (await fetch(`${origin}${path}`, { headers })).text();
  const refused = await Promise.all(pathsOf(callSid).map((path) => text(path)));
  const right = { authorization: `Bearer ${TOKEN}` };
  await world.store.flush();
  return {
    logLines: lines.join(""),
    metrics: await text("/metrics"),
    auditExport: await text(`/api/calls/${callSid}/events`, right),
    withoutRight: refused.join("\n"),
    pushes: pushes.join("\n"),
    spans: spans.join("\n"),
    carrierRequests: requests.rest.join("\n"),
    files: filesOf(world.folder),
  };
}

describe("what a caller says", () => {
  test("is found where somebody has a right to it, and in no other sink", async () => {
    const lines: string[] = [];
    const scene = await escalated(lines);
    const { world, phone, nurse, callSid, requests, said } = scene;
    const live = await sinksOf(scene, lines);
    expect(leaks(live)).toEqual([]);
    // A sink that is empty holds nothing for another reason.
    expect(live.auditExport).toContain("tool.escalate");
    expect(live.metrics).toContain("tandem_calls_live");
    expect(live.logLines).toContain('"level":"debug"');
    expect(live.pushes).toContain("ackUrl");
    for (const name of ["turn", "tool escalate", "effect page.call"]) expect(live.spans).toContain(name);
    expect(live.carrierRequests).toContain("/twilio/");
    expect(live.withoutRight).not.toContain(callSid);
    expect(Object.keys(live.files)).toEqual(expect.arrayContaining(["calls.db", "calls.db-wal"]));
    // The phone tells all of it, a text what is not personal, and the row everything.
    expect(said.flatMap(found)).toEqual(expect.arrayContaining(["name", "number", "phrase"]));
    const texts = requests.words.filter((text) => text.includes("TANDEM"));
    expect([...new Set(texts.flatMap(found))]).toEqual(["phrase"]);
    nurse.press("1");
    await untilCoaching(world, callSid);
    expect(await nurse.speak(noise("pain", 600), `It hurts, says ${NAME}.`)).toBe("said");
    const transcript = () => world.engine.supervisor.get(callSid)?.row().protected.transcript ?? [];
    await world.until("a whisper was heard", () => transcript().some((each) => each.speaker === "coach"));
    phone.hangUp();
    await ended(world, callSid);
    await world.until("the tracks are on disk", () => tracksOnDisk(world) === TRACKS.length);
    const over = await sinksOf(scene, lines);
    expect(leaks(over)).toEqual([]);
    expect(over.spans).toContain('"name":"call"');

    const right = { headers: { authorization: `Bearer ${TOKEN}` } };
    const ask = (path: string) => fetch(`${world.engine.origin}/api/calls/${callSid}${path}`, right);
    expect(found(await (await ask("")).text())).toEqual(["name", "number", "phrase", "caller"]);
    for (const track of TRACKS) {
      expect((await (await ask(`/recordings/${track}.wav`)).bytes()).length).toBeGreaterThan(58);
    }
    expect(found(Buffer.from(await (await ask("/recordings/caller.wav")).bytes()))).toEqual(["voice"]);
    const erased = await eraseCall(callSid, world.erasure);
    expect(erased).toEqual({ callSid, outcome: "erased", recordings: TRACKS.length, scrubbed: true });
    const row = (await (await ask("")).json()) as CallRow;
    expect(found(JSON.stringify(row))).toEqual([]);
    for (const track of TRACKS) expect((await ask(`/recordings/${track}.wav`)).status).toBe(404);
    const check = new LogCheck({ row: { ...row, ended: true } });
    for (const line of (await (await ask("/events")).text()).split("\n")) check.take(line);
    expect(check.end()).toMatchObject({ status: "intact", findings: [] });
  }, 60_000);

  test("that gets into one log line is found there", async () => {
    const lines: string[] = [];
    const scene = await escalated(lines);
    const { saveCall } = scene.world.store;
    scene.world.store.saveCall = (row) => {
      const words = row.protected.transcript.find(({ speaker }) => speaker === "caller");
      scene.world.engineLog.debug("call.saved", { what: words?.text });
      saveCall.call(scene.world.store, row);
    };
    scene.phone.hangUp();
    await ended(scene.world, scene.callSid);
    // What leads to somebody is taken out of a line even so.
    expect(leaks(await sinksOf(scene, lines))).toEqual(["logLines: phrase"]);
  }, 60_000);
});

function tracksOnDisk({ folder }: World): number {
  return Object.keys(filesOf(folder)).filter((name) => name.endsWith(".wav.sealed")).length;
}
