import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseWav } from "../../../../adapters/sandbox/phone/wav.ts";
import { FakeSandbox, type FakeOptions } from "./fake-sandbox.ts";
import { encodeSamples, makeWav, rms, sine } from "./signals.ts";

const COMMAND = new URL("../../../../adapters/sandbox/cli/call.ts", import.meta.url).pathname;

let fake: FakeSandbox | null = null;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "call-"));
});

afterEach(async () => {
  await fake?.stop();
  fake = null;
  await rm(folder, { recursive: true });
});

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function spawn(args: readonly string[], env: Record<string, string> = {}) {
  const engine = fake ? ["--engine", fake.url] : [];
  return Bun.spawn([process.execPath, COMMAND, ...engine, ...args], {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdout: "pipe",
    stderr: "pipe",
    timeout: 25_000,
  });
}

async function run(args: readonly string[], env: Record<string, string> = {}): Promise<Run> {
  const child = spawn(args, env);
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  return { code, out, err };
}

function start(options: FakeOptions = {}): void {
  fake = new FakeSandbox(options);
}

describe("`bun run call`", () => {
  test("says what it is told, prints states, transcript and row, and records both sides", async () => {
    start();
    const wav = join(folder, "question.wav");
    const tone = sine(900, 16_000, 8000);
    const put = (view: DataView, at: number, value: number) => view.setFloat32(at, value, true);
    const spec = { format: 3, bits: 32, channels: 2, rateHz: 16_000 };
    await Bun.write(wav, makeWav({ ...spec, data: encodeSamples([tone, tone], 4, put) }));
    const recorded = join(folder, "out.wav");
    const said = ["--wav", wav, "--text", "When do you open?", "--say", "Goodbye."];
    const { code, out, err } = await run([...said, "--record", recorded]);
    expect(err).toBe("");
    expect(code).toBe(0);
    expect(out).toMatch(/state +arriving → streaming/);
    expect(out).toMatch(/agent +Hello\./);
    expect(out).toMatch(/caller +When do you open\?/);
    expect(out).toMatch(/caller +Goodbye\./);
    expect(out).toContain('"state": "ended"');
    expect(out).toContain(`recorded to ${recorded}`);
    const bytes = await Bun.file(recorded).bytes();
    expect(new DataView(bytes.buffer).getUint16(22, true)).toBe(2);
    expect(rms(parseWav(bytes, recorded).samples)).toBeGreaterThan(0.01);
  }, 30_000);

  test("hangs up on Ctrl-C, and still writes its recording", async () => {
    start();
    const recorded = join(folder, "cut.wav");
    const child = spawn(["--say", "Please explain everything in detail.", "--record", recorded, "--json"]);
    let out = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      if (!out.includes('"caller"') && (out + chunk).includes('"caller"')) child.kill("SIGINT");
      out += chunk;
    }
    expect(await child.exited).toBe(1);
    expect(await child.stderr.text()).toContain("call: interrupted");
    const result = JSON.parse(out.trim().split("\n").at(-1) ?? "") as Record<string, unknown>;
    expect(result).toMatchObject({ type: "result", ok: false, endReason: "hangup", recordedTo: recorded });
    expect(result["recording"]).toBeUndefined();
    expect(Bun.file(recorded).size).toBeGreaterThan(1000);
    expect(fake?.received.at(-1)).toEqual({ type: "hangup" });
  }, 30_000);

  test("prints one JSON object a line on request", async () => {
    start({ token: "not-a-real-token" });
    const { code, out } = await run(["--scenario", "hang-up-early", "--json"], {
      TANDEM_CONSOLE_TOKEN: "not-a-real-token",
    });
    expect(code).toBe(0);
    const lines = out.trim().split("\n");
    const types = lines.map((line) => (JSON.parse(line) as { type: string }).type);
    expect(types[0]).toBe("dialing");
    expect(types.at(-1)).toBe("result");
    expect(types).toContain("hung-up");
  });

  test.each<[string, string[], string]>([
    ["no engine runs", ["--engine", "http://127.0.0.1:1"], "start it with `bun run engine`"],
    ["an argument is wrong", ["--timeout", "never"], 'call: --timeout: "never" is not a time'],
    ["a WAV is missing", ["--wav", "nowhere.wav"], "nowhere.wav: cannot be read"],
  ])("exits with 1 and a clear message when %s", async (_name, args, message) => {
    const { code, err, out } = await run(args);
    expect(code).toBe(1);
    expect(err).toContain(message);
    expect(err).not.toContain("    at ");
    expect(out).toBe("");
  });

  test("exits with 1 when the recording cannot be written, but still tells the result", async () => {
    start();
    const { code, out, err } = await run(["--scenario", "hang-up-early", "--record", folder]);
    expect(code).toBe(1);
    expect(err).toContain("cannot be written");
    expect(out).toContain('"state": "ended"');
  });

  test("lists its scenarios, and its options", async () => {
    const list = await run(["--list"]);
    expect(list.code).toBe(0);
    expect(list.out).toMatch(/^after-hours +/);
    expect(list.out).toContain("barge-in");
    const help = await run(["--help"]);
    expect(help.code).toBe(0);
    for (const option of [
      "--say",
      "--wav",
      "--text",
      "--record",
      "--scenario",
      "--engine",
      "--timeout",
      "--json",
    ]) {
      expect(help.out).toContain(option);
    }
  });
});
