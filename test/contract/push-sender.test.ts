/** What a push sender promises, over real HTTP. */
import { afterEach, describe, expect, test } from "bun:test";
import { createPushSender, type PushOptions } from "../../adapters/push/push.ts";
import { checkReceiver } from "../../adapters/push/receiver.ts";
import { PushError } from "../../engine/errors.ts";
import { systemClock } from "../../engine/platform/clock.ts";
import { seededIds } from "../../engine/platform/ids.ts";
import { silentLog } from "../../engine/platform/log.ts";
import type { Clock } from "../../engine/ports.ts";
import type { PushBody } from "../../engine/push-port.ts";

const BODY: PushBody = {
  id: "CA00000000000000000000000000000001/push-1/1/page.push",
  title: "after-hours: a person is needed",
  body: "Urgent. Open to take it.",
  callSid: "CA00000000000000000000000000000001",
  urgency: "high",
  ackUrl: "https://voice.example/ack/token",
};

type Answer = (request: Request) => Response | Promise<Response>;

const servers: { stop(force: boolean): Promise<void> }[] = [];

/** Answers one request after another as given; the last answer stays. */
function receiver(...answers: readonly Answer[]) {
  const requests: { readonly headers: Headers; readonly method: string; readonly body: unknown }[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      requests.push({ headers: request.headers, method: request.method, body: await request.json() });
      return await (answers[Math.min(requests.length, answers.length) - 1] as Answer)(request);
    },
  });
  servers.push(server);
  return { requests, url: `http://127.0.0.1:${server.port}/hook` };
}

const status =
  (code: number): Answer =>
  () =>
    new Response("x".repeat(100_000), { status: code });
const never: Answer = () => new Promise<Response>(() => undefined);

const sender = (more: Partial<Pick<PushOptions, "timeoutMs" | "backoffMs" | "clock" | "resolve">> = {}) =>
  createPushSender({ clock: systemClock, ids: seededIds(5), log: silentLog, backoffMs: 1, ...more });

const failure = async (work: Promise<void>): Promise<PushError> =>
  await work.then(
    () => {
      throw new Error("the push went out");
    },
    (error: unknown) => error as PushError,
  );

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop(true)));
});

describe("a push", () => {
  test("is one POST of JSON with the five fields", async () => {
    const { requests, url } = receiver(status(204));
    const pushes = sender();
    await pushes.send({ url, body: BODY });
    expect(requests.map(({ method, body }) => ({ method, body }))).toEqual([{ method: "POST", body: BODY }]);
    expect(requests[0]?.headers.get("content-type")).toBe("application/json");
    expect(pushes.counters()).toMatchObject({ sent: 1, repeated: 0, failed: 0 });
  });

  test("is repeated when the receiver fails or asks for patience, and then arrives", async () => {
    const { requests, url } = receiver(status(503), status(429), status(200));
    const pushes = sender();
    await pushes.send({ url, body: BODY });
    expect(requests).toHaveLength(3);
    expect(pushes.counters()).toMatchObject({ sent: 1, repeated: 2, failed: 0 });
  });

  test("is given up after three attempts, with the last answer", async () => {
    const { requests, url } = receiver(status(500));
    const pushes = sender();
    const error = await failure(pushes.send({ url, body: BODY }));
    expect(error).toBeInstanceOf(PushError);
    expect(error).toMatchObject({ status: 500, retryable: true });
    expect(requests).toHaveLength(3);
    expect(pushes.counters()).toMatchObject({ sent: 0, repeated: 2, failed: 1 });
  });

  test("is not repeated when the receiver refuses it", async () => {
    const { requests, url } = receiver(status(404));
    expect(await failure(sender().send({ url, body: BODY }))).toMatchObject({
      status: 404,
      retryable: false,
    });
    expect(requests).toHaveLength(1);
  });

  test("follows no redirect", async () => {
    const inner = receiver(status(200));
    const { url } = receiver(() => Response.redirect(inner.url, 307));
    expect(await failure(sender().send({ url, body: BODY }))).toMatchObject({ status: 307 });
    expect(inner.requests).toEqual([]);
  });

  test("waits for no receiver longer than its timeout", async () => {
    const { requests, url } = receiver(never);
    const error = await failure(sender({ timeoutMs: 20 }).send({ url, body: BODY }));
    expect(error).toMatchObject({ status: 0, retryable: true });
    expect(requests).toHaveLength(3);
  });

  test("to nobody who listens fails, and tells no URL", async () => {
    const { url } = receiver(status(200));
    await servers.splice(0)[0]?.stop(true);
    const error = await failure(sender().send({ url, body: BODY }));
    expect(error).toMatchObject({ status: 0, retryable: true });
    expect(error.message).not.toContain("127.0.0.1");
  });

  test("that is withdrawn between two attempts is not sent again", async () => {
    const { requests, url } = receiver(status(503));
    const withdrawal = new AbortController();
    const waits = Promise.withResolvers<void>();
    const backoffMs = 60_000;
    const clock: Clock = {
      ...systemClock,
      setTimeout: (fn, delayMs) => {
        if (delayMs >= backoffMs / 2) waits.resolve();
        return systemClock.setTimeout(fn, delayMs);
      },
    };
    const pushes = sender({ backoffMs, clock });
    const sent = failure(pushes.send({ url, body: BODY }, withdrawal.signal));
    await waits.promise;
    expect(pushes.counters()["repeated"]).toBe(1);
    withdrawal.abort();
    expect(await sent).toMatchObject({ retryable: false });
    expect(requests).toHaveLength(1);
    expect(pushes.counters()).toMatchObject({ withdrawn: 1, failed: 0 });
  });

  test("ends with its sender", async () => {
    const { url } = receiver(never);
    const pushes = sender();
    const sent = failure(pushes.send({ url, body: BODY }));
    pushes.close();
    expect(await sent).toMatchObject({ retryable: false });
  });
});

const PRIVATE = "the URL of the push receiver leads to a private address";

describe("where a push may go", () => {
  const refusal = async (url: string, addresses: readonly string[] = []): Promise<string | null> =>
    await checkReceiver(url, () => Promise.resolve(addresses)).then(
      () => null,
      (error: PushError) => error.message,
    );

  test("is https, or http to this machine", async () => {
    expect(await refusal("https://push.example/hook", ["93.184.216.34"])).toBeNull();
    expect(await refusal("http://127.0.0.1:8080/hook")).toBeNull();
    expect(await refusal("http://localhost:8080/hook")).toBeNull();
    expect(await refusal("http://push.example/hook", ["93.184.216.34"])).toContain("plain http");
    expect(await refusal("ftp://push.example/hook")).toContain("no http(s) URL");
  });

  test("is no private address, written or looked up", async () => {
    for (const host of ["10.0.0.1", "169.254.169.254", "[fd00::1]", "[::ffff:10.0.0.1]"]) {
      expect(await refusal(`https://${host}/hook`)).toContain("private");
    }
    for (const address of ["192.168.1.1", "127.0.0.1", "fe80::1%eth0", "::1", "fd00::1"]) {
      expect(await refusal("https://push.example/hook", ["93.184.216.34", address])).toContain("private");
    }
  });

  test("is none of the ways to write a private address", async () => {
    const forms = [
      "0x0a000001",
      "167772161",
      "10.1",
      "012.0.0.1",
      "100.64.0.1",
      "192.0.0.1",
      "198.18.0.1",
      "240.0.0.1",
      "0.0.0.0",
      "224.0.0.1",
      "metadata.internal",
      "printer.local.",
      "[::]",
      "[::10.0.0.1]",
      "[::ffff:a00:1]",
      "[::ffff:0:10.0.0.1]",
      "[64:ff9b::169.254.169.254]",
      "[64:ff9b:1::8.8.8.8]",
      "[2002:a00:1::]",
      "[2001:0:1::1]",
      "[fe80::1]",
      "[fec0::1]",
      "[ff02::1]",
    ];
    for (const host of forms) expect([host, await refusal(`https://${host}/hook`)]).toEqual([host, PRIVATE]);
    for (const host of ["8.8.8.8", "[2606:4700::1111]", "[64:ff9b::8.8.8.8]", "[2002:808:808::1]"])
      expect([host, await refusal(`https://${host}/hook`)]).toEqual([host, null]);
  });

  test("is counted when it is refused, and nothing is asked of anybody", async () => {
    const pushes = sender({ resolve: () => Promise.resolve(["10.0.0.1"]) });
    expect(await failure(pushes.send({ url: "https://push.example/hook", body: BODY }))).toMatchObject({
      retryable: false,
    });
    expect(pushes.counters()).toMatchObject({ refused: 1, failed: 1, repeated: 0 });
  });

  test("may become known later when the name cannot be resolved now", async () => {
    const checked = checkReceiver("https://push.example/", () => Promise.reject(new Error("no such name")));
    expect(await failure(checked)).toMatchObject({ status: 0, retryable: true });
  });
});
