/** The sandbox is for this machine alone, whatever a request says of itself; and it is not on by accident. */
import { describe, expect, test } from "bun:test";
import { networkInterfaces } from "node:os";
import { startCarrier } from "../../../adapters/sandbox/carrier/carrier.ts";
import { createHearing } from "../../../adapters/sandbox/hearing.ts";
import { isFromHere } from "../../../adapters/sandbox/loopback.ts";
import { startModel } from "../../../adapters/sandbox/model/server.ts";
import { systemClock } from "../../../engine/platform/clock.ts";
import { seededIds } from "../../../engine/platform/ids.ts";
import { silentLog } from "../../../engine/platform/log.ts";
import { stopAfterTest } from "../../support/after-test.ts";
import { noiseSpeech, startWorld } from "../../support/world.ts";

type Headers = Readonly<Record<string, string>>;

/** An address of this machine that others reach it by; none on a machine without a network. */
const OUTWARD = Object.values(networkInterfaces())
  .flatMap((each) => each ?? [])
  .find(({ family, internal }) => family === "IPv4" && !internal)?.address;

/** What a request says that would like to be taken for one of this machine, or that is none. */
const FORGED: readonly Headers[] = [
  { host: "phones.example" },
  { host: "127.0.0.1.example" },
  { host: "0.0.0.0" },
  { host: "localhost.example:80" },
  { origin: "https://evil.example" },
  { origin: "null" },
  { origin: "http://127.0.0.1.evil.example" },
  { "x-forwarded-for": "127.0.0.1" },
  { "x-forwarded-for": "203.0.113.9" },
  { "x-real-ip": "127.0.0.1" },
  { forwarded: "for=127.0.0.1" },
];

async function servers(): Promise<readonly string[]> {
  const parts = {
    clock: systemClock,
    ids: seededIds(1),
    log: silentLog,
    hearing: createHearing(),
    speech: noiseSpeech(),
  };
  const account = { accountSid: `AC${"0".repeat(32)}`, authToken: "x", twimlAppSid: `AP${"0".repeat(32)}` };
  const carrier = await startCarrier({ ...parts, ...account, callsPerSecond: 1 });
  stopAfterTest(() => carrier.stop());
  const model = await startModel({ ...parts, apiKey: "x" });
  stopAfterTest(() => model.stop());
  const rest = `/2010-04-01/Accounts/${account.accountSid}/Calls.json`;
  const ofCarrier = ["/phones", "/phones/facts", "/sandbox/state", "/sandbox/phone", "/sandbox/push/x", rest];
  const ofModel = ["/sandbox/faults", "/sandbox/sessions", "/v1/realtime", "/v1/responses"];
  const modelOrigin = new URL(model.url).origin;
  return [...ofCarrier.map((path) => carrier.url + path), ...ofModel.map((path) => modelOrigin + path)];
}

const statusOf = async (url: string, headers: Headers): Promise<number> =>
  (await fetch(url, { headers, redirect: "manual" })).status;

describe("a request", () => {
  const from = (address: string | null, url = "http://127.0.0.1:8081/phones", headers: Headers = {}) =>
    isFromHere(new Request(url, { headers }), address);

  test("is from here by its address, its host and its page together", () => {
    expect(["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"].map((each) => from(each))).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(from("::1", "http://[::1]:8081/phones")).toBe(true);
    expect(from("127.0.0.1", "http://localhost/", { origin: "http://localhost:8080" })).toBe(true);
  });

  test("from another address is not, nor one whose address is not known", () => {
    for (const address of [
      "10.0.0.1",
      "192.0.2.2",
      "::ffff:10.0.0.1",
      "fe80::1",
      "1127.0.0.1",
      "localhost",
      "",
    ])
      expect([address, from(address)]).toEqual([address, false]);
    expect(from(null)).toBe(false);
  });
});

describe("every part of the sandbox", () => {
  test("answers this machine", async () => {
    const answers = await Promise.all((await servers()).map((url) => statusOf(url, {})));
    expect(answers).toEqual([200, 200, 200, 426, 200, 401, 200, 200, 401, 401]);
  });

  test("refuses a request that was forged, or handed on", async () => {
    for (const url of await servers()) {
      for (const headers of FORGED) {
        const { pathname } = new URL(url);
        expect([pathname, headers, await statusOf(url, headers)]).toEqual([pathname, headers, 403]);
      }
    }
  });

  test.skipIf(OUTWARD === undefined)("does not listen where others could reach it", async () => {
    for (const url of await servers()) {
      const { port, pathname } = new URL(url);
      const outward = `http://${OUTWARD}:${port}${pathname}`;
      const headers = { host: `127.0.0.1:${port}`, "x-forwarded-for": "127.0.0.1" };
      expect(await statusOf(outward, headers).catch(() => "no connection")).toBe("no connection");
    }
  });
});

test.skipIf(OUTWARD === undefined)(
  "an engine in sandbox mode that listens everywhere shows its console to this machine alone",
  async () => {
    const world = await startWorld({ hostname: "0.0.0.0" });
    stopAfterTest(() => world.stop());
    const { port } = world.engine;
    const paths = [
      "/api/calls",
      "/api/sandbox",
      "/api/session",
      "/api/export",
      "/api/switchboard",
      "/api/feed",
    ];
    const local = { host: `127.0.0.1:${port}`, origin: `http://127.0.0.1:${port}` };
    for (const path of paths) {
      for (const headers of [{}, local, { ...local, "x-forwarded-for": "127.0.0.1", "x-real-ip": "::1" }])
        expect([path, await statusOf(`http://${OUTWARD}:${port}${path}`, headers)]).toEqual([path, 403]);
    }
    expect(await statusOf(`http://127.0.0.1:${port}/api/sandbox`, {})).toBe(200);
  },
);
