import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type System, contractSystem, relay, spawnGenerator } from "../../../bench/load/control.ts";
import { EngineSystem } from "../../../bench/load/engine-system.ts";
import { distribution } from "../../../bench/load/distribution.ts";
import { bytesPerCall, capacity, latencySeries } from "../../../bench/load/measure.ts";
import { Playback } from "../../../bench/load/playback.ts";
import { decodedBytes, putDigits, putTag, readTag } from "../../../bench/load/tags.ts";
import { FrameReader, TEXT, acceptKey, frame, textFrame } from "../../../bench/load/ws-frames.ts";
import { pause, systemClock } from "../../../engine/platform/clock.ts";
import { Histogram } from "../../../engine/platform/histogram.ts";
import { seededIds } from "../../../engine/platform/ids.ts";

// Nothing here is timed; a loaded machine may take its time to start processes.
setDefaultTimeout(30_000);

const started: { stop(): Promise<void> }[] = [];

afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.stop()));
});

function kept<T extends { stop(): Promise<void> }>(process: T): T {
  started.push(process);
  return process;
}

function masked(text: string, key: readonly number[]): Buffer {
  const bytes = textFrame(text, "client");
  const start = bytes.length - Buffer.byteLength(text);
  key.forEach((byte, i) => (bytes[start - 4 + i] = byte));
  for (let i = start; i < bytes.length; i++)
    bytes[i] = (bytes[i] as number) ^ (key[(i - start) & 3] as number);
  return bytes;
}

describe("WebSocket frames by hand", () => {
  test("texts of every size come out as they went in, masked or not, in whatever pieces they arrive", () => {
    const ids = seededIds(7);
    const texts = [0, 1, 5, 125, 126, 400, 65_535, 65_536, 70_001].map((n) => "aé9".repeat(n).slice(0, n));
    const key = [0x12, 0xfe, 0x00, 0x81];
    const stream = Buffer.concat(
      texts.flatMap((text) => [textFrame(text, "server"), textFrame(text, "client"), masked(text, key)]),
    );
    for (const most of [400, 5_000, stream.length]) {
      const read: string[] = [];
      const reader = new FrameReader((opcode, bytes, at, end) => {
        expect(opcode).toBe(TEXT);
        read.push(bytes.toString("utf8", at, end));
      });
      for (let at = 0; at < stream.length;) {
        const size = 1 + Math.floor(ids.random() * most);
        reader.feed(Buffer.from(stream.subarray(at, at + size)));
        at += size;
      }
      expect(read).toEqual(texts.flatMap((text) => [text, text, text]));
    }
  });

  test("a fragmented message is refused", () => {
    const first = frame(TEXT, Buffer.from("half"), "server");
    first[0] = TEXT;
    expect(() => new FrameReader(() => undefined).feed(first)).toThrow("fragmented");
  });

  test("the key is accepted as in the RFC's example", () => {
    expect(acceptKey("dGhlIHNhbXBsZSBub25jZQ==")).toBe("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  });
});

describe("numbers in audio", () => {
  test("a number put into base64 text is found there, and after decoding at any offset", () => {
    const audio = Uint8Array.from({ length: 960 }, (_, i) => (i * 7) & 255);
    const text = Buffer.from(audio.toBase64());
    putTag(text, 0, 0xabcdef);
    expect(readTag(text, 0, 0)).toBe(0xabcdef);
    const decoded = Buffer.from(text.toString(), "base64");
    expect(decodedBytes(text, 0, text.length)).toBe(decoded.length);
    for (let offset = 0; offset < 950; offset++) {
      expect(readTag(text, 0, offset)).toBe(decoded.readUIntBE(offset, 3));
    }
  });

  test("lengths allow for padding", () => {
    for (const bytes of [159, 160, 161]) {
      const text = Buffer.from(new Uint8Array(bytes).toBase64());
      expect(decodedBytes(text, 0, text.length)).toBe(bytes);
    }
  });

  test("digits are written over digits", () => {
    const text = Buffer.from('"100000"');
    putDigits(text, 7, 123_456);
    expect(text.toString()).toBe('"123456"');
  });
});

describe("figures", () => {
  const step = (calls: number, p99Ms: number, failedPercent = 0) => {
    return { calls, p99Ms, failedPercent, rssBytes: 1_000_000 + calls * 2_048 };
  };

  test("capacity ends at the first step that misses, whatever the later ones do", () => {
    const climb = { steps: [step(50, 1), step(100, 4), step(150, 9), step(200, 3)], discarded: 0, late: 0 };
    expect(capacity(climb, 5)).toBe(100);
    expect(capacity(climb, 20)).toBe(200);
    expect(capacity({ ...climb, steps: [step(50, 1), step(100, 1, 0.5)] }, 5)).toBe(50);
    expect(bytesPerCall(climb)).toBeCloseTo(2_048, 5);
  });

  test("a picture holds every latency once", () => {
    const histogram = new Histogram();
    for (const ms of [0.02, 0.3, 5, 1_900, 50_000]) histogram.record(ms);
    const { counts } = latencySeries("all", [distribution(histogram), distribution(histogram)]);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(10);
  });
});

describe("the carrier's playback", () => {
  test("a mark comes back when the audio before it is played, all of them at once on a clear", () => {
    const playback = new Playback();
    playback.media(800, 1_000);
    playback.mark("a", 1_000);
    playback.media(1_600, 1_010);
    playback.mark("b", 1_010);
    expect(playback.takeMark(1_099)).toBeNull();
    expect(playback.takeMark(1_100)).toBe("a");
    expect(playback.takeMark(1_100)).toBeNull();
    expect(playback.waitingMs(1_150)).toBe(150);
    playback.clear(1_150);
    expect([playback.waitingMs(1_150), playback.takeMark(1_150)]).toEqual([0, "b"]);
    expect(playback.takeMark(9_999)).toBeNull();
  });
});

async function echoOf(format: "pcmu" | "pcm24k", start: (ready: never) => Promise<System>) {
  const generator = kept(await spawnGenerator({ mode: "echo", format, seed: 1 }));
  const system = kept(await start(generator.ready as never));
  const { started: up, problem } = await generator.start(3, system.target);
  expect({ up, problem }).toEqual({ up: 3, problem: null });
  await generator.settle(60);
  const window = await generator.window(500);
  await generator.hangUp();
  return window;
}

describe("a system under load", () => {
  test("every frame comes back through the relay as what it was, and is timed", async () => {
    const window = await echoOf("pcmu", (ready) => relay.start(ready, "pcmu"));
    expect(window).toMatchObject({ calls: 3, failedCalls: 0, garbled: 0 });
    expect(window.framesOut).toBeGreaterThan(60);
    expect(window.latencyMs.count).toBeGreaterThan(0.9 * window.framesOut);
  });

  test("without a number in it a frame is known by its tone", async () => {
    const { garbled, latencyMs } = await echoOf("pcm24k", (ready) => relay.start(ready, "pcm24k"));
    expect(garbled).toBe(0);
    expect(latencyMs.count).toBeGreaterThanOrEqual(6);
  });

  test("the engine takes its calls from the generator, and turns away what it is told to", async () => {
    const generator = kept(await spawnGenerator({ mode: "echo", format: "pcmu", seed: 1 }));
    const deployment = { limits: { maxLiveCalls: 2, drainMs: 0 } };
    const engine = kept(await EngineSystem.start(generator.ready, { deployment }));
    expect(await generator.start(3, engine.target)).toMatchObject({ started: 2, refused: 1, failed: 0 });
    await generator.settle(60);
    const window = await generator.window(400, { calls: 1, target: engine.target });
    expect(window).toMatchObject({
      calls: 2,
      failedCalls: 0,
      garbled: 0,
      offered: { started: 0, refused: 1 },
    });
    expect(await engine.metric("tandem_calls_live")).toBe(2);
    await generator.hangUp();
    const { callSids, ended } = await engine.rows();
    expect([callSids.size, ended]).toEqual([2, 2]);
    expect(engine.complaints().map(({ event }) => event)).toEqual(["call.refused", "call.refused"]);
  });

  test("what a system says before it ends too early is told", async () => {
    const broken = contractSystem("broken", ["sh", "-c", "echo no such port; exit 3"]);
    const ports = { modelPort: 1, restPort: 1 };
    await expect(broken.start(ports, "pcmu")).rejects.toThrow(/ended before "ready".*no such port/);
  });
});

describe("children", () => {
  const CONTROL = join(import.meta.dir, "../../../bench/load/control.ts");
  const SCRIPT = `
    import { relay, spawnGenerator } from ${JSON.stringify(CONTROL)};
    const generator = await spawnGenerator({ mode: "echo", format: "pcmu", seed: 1 });
    const system = await relay.start(generator.ready, "pcmu");
    await generator.start(1, system.target);
    process.stdout.write(system.child.pid + "\\n");
  `;

  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    // Without setpriv a parent that is killed outright has no time to end anybody.
    test.skipIf(signal === "SIGKILL" && Bun.which("setpriv") === null)(
      `end with their parent, by ${signal}`,
      async () => {
        const parent = Bun.spawn([process.execPath, "-e", SCRIPT], { stdout: "pipe", stderr: "inherit" });
        const { value } = await parent.stdout.getReader().read();
        const pid = Number(Buffer.from(value ?? []).toString());
        expect(isRunning(pid)).toBe(true);
        parent.kill(signal);
        await parent.exited;
        while (isRunning(pid)) await pause(systemClock, 5);
      },
    );
  }
});

/** Neither gone nor a zombie. */
function isRunning(pid: number): boolean {
  const stat = `/proc/${pid}/stat`;
  if (!existsSync(stat)) return false;
  try {
    return !readFileSync(stat, "latin1").includes(") Z ");
  } catch {
    return false;
  }
}
