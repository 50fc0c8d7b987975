import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { getExpectedTwilioSignature, validateRequest } from "twilio/lib/webhooks/webhooks";
import { Aborted, abortable, orAborted } from "../../../../adapters/sandbox/carrier/abortable.ts";
import { WireEnd, wire } from "../../../../adapters/sandbox/carrier/call/wire.ts";
import { CallQueue } from "../../../../adapters/sandbox/carrier/cps.ts";
import { rfc2822 } from "../../../../adapters/sandbox/carrier/dates.ts";
import { Faults } from "../../../../adapters/sandbox/carrier/faults.ts";
import { parseOverrides } from "../../../../adapters/sandbox/carrier/overrides.ts";
import { sign, signedUrl } from "../../../../adapters/sandbox/carrier/signature.ts";
import { Timers } from "../../../../adapters/sandbox/carrier/timers.ts";
import { VirtualClock } from "../../../../engine/platform/clock.ts";
import { seededIds } from "../../../../engine/platform/ids.ts";

describe("signatures", () => {
  test("match Twilio's published example", () => {
    const fields = Object.entries({
      CallSid: "CA1234567890ABCDE",
      Caller: "+15550100",
      Digits: "1234",
      From: "+15550100",
      To: "+15550123",
    });
    const url = "https://example.com/myapp.php?foo=1&bar=2";
    expect(sign("12345", url, fields)).toBe("Y+uQ3HI4zvGrG6A73zfb1ApQQ5E=");
  });

  test("equal those of the twilio package for any form, repeated names included", () => {
    const field = fc.tuple(fc.string({ minLength: 1 }), fc.string());
    fc.assert(
      fc.property(fc.array(field), (fields) => {
        const params: Record<string, string | string[]> = Object.create(null);
        for (const [name, value] of fields) {
          const before = params[name];
          params[name] = before === undefined ? value : [before, value].flat();
        }
        const url = "http://127.0.0.1:8080/x?y=1";
        expect(sign("token", url, fields)).toBe(getExpectedTwilioSignature("token", url, params));
      }),
    );
  });

  test("leave out fragment and user info, and the port of voice over HTTPS only", () => {
    expect(signedUrl("https://u:p@h.example:8443/a?b=c#rc=3", "voice")).toBe("https://h.example/a?b=c");
    expect(signedUrl("https://h.example:8443/a", "sms")).toBe("https://h.example:8443/a");
    expect(signedUrl("http://127.0.0.1:8080/a#rp=all", "voice")).toBe("http://127.0.0.1:8080/a");
    const url = "https://h.example:8443/a";
    expect(validateRequest("token", sign("token", signedUrl(url, "voice"), []), url, {})).toBe(true);
  });
});

test("webhook overrides have Twilio's ranges and defaults", () => {
  expect(parseOverrides("http://h/")).toEqual({
    retryCount: 1,
    retryOn: new Set(["ct"]),
    readTimeoutMs: 15_000,
    totalTimeoutMs: 15_000,
  });
  expect(parseOverrides("http://h/#rc=3&rp=4xx,rt&rt=100&tt=200")).toEqual({
    retryCount: 3,
    retryOn: new Set(["rt", "4xx"]),
    readTimeoutMs: 100,
    totalTimeoutMs: 200,
  });
  expect(parseOverrides("http://h/#rc=6&rp=never&rt=99999")).toEqual(parseOverrides("http://h/"));
  expect(parseOverrides("http://h/#rp=all").retryOn.size).toBe(4);
});

test("dates are those of RFC 2822 with a numeric zone", () => {
  expect(rfc2822(1_298_063_239_000)).toBe("Fri, 18 Feb 2011 21:07:19 +0000");
});

describe("the calls-per-second queue", () => {
  const make = (callsPerSecond: number, max?: number) => {
    const clock = new VirtualClock();
    const timers = new Timers(clock, (error) => {
      throw error;
    });
    return { clock, queue: new CallQueue({ clock, timers, callsPerSecond, ...(max ? { max } : {}) }) };
  };

  test("dials one per period, in order, and estimates the wait", () => {
    const { clock, queue } = make(1);
    const dialled: [string, number][] = [];
    const start = clock.monotonicMs();
    const add = (name: string) => queue.add(() => dialled.push([name, clock.monotonicMs() - start]));
    expect([add("a"), add("b"), add("c")].map((e) => e.estimateMs)).toEqual([0, 1000, 2000]);
    clock.advance(5000);
    expect(dialled).toEqual([
      ["a", 0],
      ["b", 1000],
      ["c", 2000],
    ]);
    expect(add("d").estimateMs).toBe(0);
    clock.advance(0);
    expect(dialled.at(-1)).toEqual(["d", 5000]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("gives the place of a cancelled call to the next one", () => {
    const { clock, queue } = make(2);
    const dialled: string[] = [];
    const [, second] = ["a", "b", "c"].map((name) => queue.add(() => dialled.push(name)));
    second?.cancel();
    clock.advance(600);
    expect(dialled).toEqual(["a", "c"]);
  });

  test("is bounded", () => {
    const { queue } = make(1, 1);
    queue.add(() => undefined);
    expect(queue.full).toBe(true);
  });
});

describe("faults", () => {
  test("hit only what they match, and as often as they say", () => {
    const faults = new Faults(seededIds(1));
    faults.set({ rest: [{ status: 503, times: 2, match: "Participants", method: "POST" }] });
    expect(faults.takeRest("GET", "/Participants.json")).toBeNull();
    expect(faults.takeRest("POST", "/Calls.json")).toBeNull();
    const hits = [1, 2, 3].map(() => faults.takeRest("POST", "/Participants.json")?.kind ?? null);
    expect(hits).toEqual(["status", "status", null]);
  });

  test("are repeatable with the same seed, and near their rate", () => {
    const run = (): number[] => {
      const faults = new Faults(seededIds(7));
      faults.set({ callbacks: { dropRate: 0.3, duplicateRate: 0.2, delayMs: [5, 50] } });
      return Array.from({ length: 2000 }, () => faults.deliveries("x").length);
    };
    const counts = run();
    expect(run()).toEqual(counts);
    expect(counts.filter((n) => n === 0).length / 2000).toBeCloseTo(0.3, 1);
  });

  test("are refused by name when unknown", () => {
    const faults = new Faults(seededIds(1));
    expect(() => faults.set({ restt: {} } as object)).toThrow("restt");
    faults.set({ marks: { lossRate: 0.5 }, mediaDelayMs: 80, mediaJitterMs: 30 });
    expect(faults.mediaJitterMs).toBe(30);
    faults.set({ reset: true });
    expect([faults.markLossRate, faults.mediaDelayMs, faults.mediaJitterMs]).toEqual([0, 0, 0]);
  });
});

describe("abortable", () => {
  test("undoes what it started, once, whether it ends or is aborted", async () => {
    let undone = 0;
    const undo = (): void => void undone++;
    const idle = new AbortController();
    expect(await abortable<number>(idle.signal, (done) => (done(1), undo))).toBe(1);
    const later = abortable<number>(idle.signal, () => undo);
    idle.abort();
    await expect(later).rejects.toBeInstanceOf(Aborted);
    expect(undone).toBe(2);
    await expect(abortable(idle.signal, () => undo)).rejects.toBeInstanceOf(Aborted);
    expect(undone).toBe(2);
  });

  test("does not wait for a promise any longer than its signal", async () => {
    const controller = new AbortController();
    const never = orAborted(controller.signal, new Promise(() => undefined));
    controller.abort();
    await expect(never).rejects.toBeInstanceOf(Aborted);
    const failing = orAborted(new AbortController().signal, Promise.reject(new Error("x")));
    await expect(failing).rejects.toThrow("x");
  });
});

describe("a wire", () => {
  const frame = (code: number): Uint8Array => new Uint8Array(160).fill(code);
  const read = (end: WireEnd): number | null => {
    const out = new Uint8Array(160);
    return end.read(out) ? (out[0] as number) : null;
  };

  test("carries frames both ways, drops the oldest beyond three, and hangs up once", () => {
    const { near, far } = wire();
    for (const code of [1, 2, 3, 4]) near.write(frame(code));
    expect([read(far), read(far), read(far), read(far)]).toEqual([2, 3, 4, null]);
    far.write(frame(9));
    expect(read(near)).toBe(9);
    let over = 0;
    near.onHangup = () => void over++;
    far.onHangup = () => void (over += 10);
    far.hangUp();
    near.hangUp();
    expect(over).toBe(1);
  });

  test("talks to what is spliced into its other end", () => {
    const { near, far } = wire();
    const heard: number[] = [];
    far.splice({
      read: (out) => {
        out.fill(7);
        return true;
      },
      write: (f) => void heard.push(f[0] as number),
    });
    near.write(frame(3));
    expect([read(near), heard]).toEqual([7, [3]]);
    far.splice(null);
    expect(read(near)).toBeNull();
  });
});
