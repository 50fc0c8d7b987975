/** What `preflight --live` asks, of the sandbox's carrier and model and of databases in every state. */
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openAiLiveCheck } from "../../adapters/openai/live-check.ts";
import { type CarrierServer, startCarrier } from "../../adapters/sandbox/carrier/carrier.ts";
import { createHearing } from "../../adapters/sandbox/hearing.ts";
import { type Model, startModel } from "../../adapters/sandbox/model/server.ts";
import { storeLiveCheck } from "../../adapters/store/live-check.ts";
import { createFieldCipher } from "../../adapters/store/protect.ts";
import { createStore } from "../../adapters/store/store.ts";
import { twilioLiveCheck, type TwilioLiveCheckOptions } from "../../adapters/twilio/live-check.ts";
import type { LiveCheck } from "../../engine/live-check-port.ts";
import { systemClock } from "../../engine/platform/clock.ts";
import { seededIds } from "../../engine/platform/ids.ts";
import { silentLog } from "../../engine/platform/log.ts";
import { systemNetwork } from "../../engine/platform/network.ts";
import { makeDatabase, postgresUrl } from "../support/postgres.ts";
import { NUMBER, noiseSpeech } from "../support/world.ts";

const ORIGIN = "https://tandem.example.com";
const ACCOUNT = {
  accountSid: `AC${"1".repeat(32)}`,
  authToken: "a-token-for-tests-only",
  twimlAppSid: `AP${"2".repeat(32)}`,
};
const MODEL_KEY = "a-key-for-tests-only";
const parts = { clock: systemClock, ids: seededIds(3), log: silentLog };
const folder = mkdtempSync(join(tmpdir(), "tandem-live-check-"));

let carrier: CarrierServer;
let model: Model;
beforeAll(async () => {
  const sandbox = { ...parts, hearing: createHearing(), speech: noiseSpeech() };
  carrier = await startCarrier({ ...sandbox, ...ACCOUNT });
  model = await startModel({ ...sandbox, apiKey: MODEL_KEY });
});
afterAll(async () => {
  await carrier.stop();
  await model.stop();
  rmSync(folder, { recursive: true });
});

async function findings(check: LiveCheck): Promise<readonly string[]> {
  const found = await check.run(new AbortController().signal);
  for (const { level, fix } of found) expect(level === "ok").toBe(fix === undefined);
  return found.map(({ level, text }) => `${level}: ${text}`);
}

describe("the carrier", () => {
  const leads = { number: NUMBER, voiceUrl: `${ORIGIN}/twilio/voice`, smsUrl: `${ORIGIN}/twilio/sms` };
  const ask = async (options: Partial<TwilioLiveCheckOptions> = {}) =>
    await findings(
      twilioLiveCheck({
        ...ACCOUNT,
        baseUrl: carrier.url,
        number: NUMBER,
        publicUrl: ORIGIN,
        texts: true,
        network: systemNetwork,
        ...options,
      }),
    );

  test("leads to the engine by its App and its number", async () => {
    carrier.configure({ numbers: [leads], appVoiceUrl: `${ORIGIN}/twilio/ai-leg` });
    expect(await ask()).toEqual([
      "ok: account AC1111… is active",
      `ok: the TwiML App's voice URL is ${ORIGIN}/twilio/ai-leg`,
      `ok: the number's voice URL is ${ORIGIN}/twilio/voice`,
      expect.stringContaining("warning: the number has no fallback URL"),
    ]);
  });

  test("leads elsewhere, which is told without saying where", async () => {
    const voiceUrl = "https://old.example/twilio/voice?secret=1";
    carrier.configure({ numbers: [{ number: NUMBER, voiceUrl }], appVoiceUrl: `${ORIGIN}/twilio/ai-leg/` });
    const found = await ask();
    expect(found.slice(1)).toEqual([
      "mistake: the TwiML App's voice URL leads elsewhere",
      "mistake: the number's voice URL leads elsewhere",
      expect.stringContaining("warning: the number has no fallback URL"),
      "warning: the number's messaging URL does not lead here: replies to texts are lost",
    ]);
    expect(found.join()).not.toContain("old.example");
    // Nobody is paged by text.
    expect((await ask({ texts: false })).join()).not.toContain("messaging URL");
  });

  test("is asked about a number and an App that it does not have", async () => {
    const found = await ask({ number: "+15550124", twimlAppSid: `AP${"3".repeat(32)}` });
    expect(found.slice(1)).toEqual([
      "mistake: the TwiML App (TWILIO_TWIML_APP_SID) was not found (HTTP 404)",
      "mistake: TWILIO_NUMBER is not a number of this account",
    ]);
  });

  test("refuses the token, is not there, or is something else", async () => {
    expect(await ask({ authToken: "another-token" })).toEqual([
      "mistake: the account is refused with HTTP 401",
    ]);
    const key = { apiKey: `SK${"4".repeat(32)}`, apiSecret: "another-secret" };
    expect(await ask(key)).toEqual([
      "ok: account AC1111… is active",
      "mistake: the TwiML App (TWILIO_TWIML_APP_SID) is refused with HTTP 401",
      "mistake: the list of numbers is refused with HTTP 401",
    ]);
    expect(await ask({ baseUrl: "http://127.0.0.1:1" })).toEqual([
      "mistake: the account could not be asked: no answer came",
    ]);
    using other = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("<p>hello</p>") });
    expect(await ask({ baseUrl: `http://127.0.0.1:${other.port}` })).toEqual([
      "mistake: the account is answered by something else than Twilio's API",
    ]);
  });
});

describe("the model", () => {
  const ask = async (apiKey: string, baseUrl = model.url) =>
    await findings(
      openAiLiveCheck({
        apiKey,
        baseUrl,
        models: { "which speaks": "gpt-realtime-2.1" },
        network: systemNetwork,
      }),
    );

  test("is known to the key, or the key is refused", async () => {
    expect(await ask(MODEL_KEY)).toEqual([
      expect.stringMatching(/^ok: 127\.0\.0\.1:\d+ knows gpt-realtime-2\.1, which speaks$/),
    ]);
    expect(await ask("another-key")).toEqual([
      expect.stringMatching(/^mistake: .* refuses OPENAI_API_KEY with HTTP 401$/),
    ]);
  });

  test("is not there, or its server has no list", async () => {
    expect(await ask(MODEL_KEY, "http://127.0.0.1:1/v1")).toEqual(["mistake: 127.0.0.1:1 gives no answer"]);
    const elsewhere = model.url.replace(/v1$/, "v2");
    expect(await ask(MODEL_KEY, elsewhere)).toEqual([
      expect.stringMatching(/^warning: .* does not know gpt-realtime-2\.1, which speaks$/),
    ]);
  });
});

describe("the store", () => {
  const key = new Uint8Array(32).fill(7);
  const ask = async (path: string, keys: { key: Uint8Array | null; previousKey?: Uint8Array | null }) =>
    await findings(storeLiveCheck({ ...parts, previousKey: null, ...keys, url: `sqlite://${path}` }));

  /** A database with a key of a call in it. */
  async function made(name: string): Promise<string> {
    const path = join(folder, name);
    const store = await createStore({
      ...parts,
      url: `sqlite://${path}`,
      cipher: createFieldCipher({ ...parts, key }),
    });
    store.saveSnapshot("CA1", { seq: 0, machineHash: "x", version: 1, body: "{}" });
    await store.close();
    return path;
  }

  test("is not there yet, or is whole and under the key that is set", async () => {
    const missing = join(folder, "new", "calls.db");
    expect(await ask(missing, { key })).toEqual([`ok: ${missing} is not there yet, and will be made`]);
    const path = await made("sound.db");
    const sound = [
      "ok: every page is whole, and it is of version 5",
      "ok: what it keeps is under the key that is set",
    ];
    expect(await ask(path, { key })).toEqual(sound);
    const other = new Uint8Array(32).fill(8);
    expect(await ask(path, { key: other, previousKey: key })).toEqual(sound);
    expect((await ask(path, { key: other }))[1]).toStartWith("warning: some of what it keeps is under a key");
  });

  test("is of an earlier version, of a later one, or damaged", async () => {
    const path = await made("versions.db");
    const database = new Database(path);
    database.run("delete from tandem_migrations where version = 5");
    expect((await ask(path, { key }))[0]).toStartWith(
      "warning: every page is whole, and it is of version 4: the engine will bring it to 5",
    );
    database.run("insert into tandem_migrations values (99, 'later', 'x', '2026-01-01T00:00:00.000Z')");
    database.close();
    await expect(ask(path, { key })).rejects.toThrow(
      "has version 99, this Tandem knows versions up to 5; fix: ",
    );
    await Bun.write(path, "this is no database, and long enough to be looked at ".repeat(100));
    await expect(ask(path, { key })).rejects.toThrow(
      `${path} is not a SQLite database (SQLITE_NOTADB); fix: `,
    );
  });
});

test.if(postgresUrl !== undefined)("a database server is looked at, and left as it is", async () => {
  const { url, drop } = await makeDatabase();
  const key = new Uint8Array(32).fill(7);
  const check = storeLiveCheck({ ...parts, url, key, previousKey: null });
  expect(await findings(check)).toEqual(["ok: answers, and is empty: its tables will be made"]);
  expect(await findings(check)).toHaveLength(1);
  const store = await createStore({ ...parts, url, cipher: createFieldCipher({ ...parts, key }) });
  store.saveSnapshot("CA1", { seq: 0, machineHash: "x", version: 1, body: "{}" });
  await store.close();
  expect(await findings(check)).toEqual([
    "ok: answers, and is of version 5",
    "ok: what it keeps is under the key that is set",
  ]);
  await drop();
  await expect(check.run(new AbortController().signal)).rejects.toThrow("does not exist (3D000); fix: ");
});
