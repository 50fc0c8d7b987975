/** How long Twilio waits for TwiML while a caller hears the phone ring. */
import type { Server } from "bun";
import { InvariantError, invariant } from "../engine/errors.ts";
import { signTwilioRequest } from "../engine/http/twilio-signature.ts";
import { seededIds } from "../engine/platform/ids.ts";
import { createLog } from "../engine/platform/log.ts";
import type { Clock } from "../engine/ports.ts";
import { FAKE_ACCOUNT, startFakeEngine, type FakeEngine } from "../test/support/fake-ports.ts";
import { type Bench, type BenchOptions, type Rows, fold, sampledRow } from "./runner.ts";

const ACCOUNT_SID = "AC00000000000000000000000000000001";
const CALLER = "+15550142";

export const bench: Bench = {
  name: "twiml",
  claim: "The voice webhooks answer with TwiML in less than 5 ms, with signature, machine, log and row.",
  run: runTwiml,
};

async function runTwiml({ smoke, clock }: BenchOptions): Promise<Rows> {
  const warmUps = smoke ? 1 : 100;
  const calls = smoke ? 3 : 600;
  const liveCalls = smoke ? 2 : 100;
  let logged = 0;
  const log = createLog({ level: "info", clock, write: (line) => void (logged += line.length) });
  const fake = startFakeEngine({ clock, log });
  const bare = bareServer();
  const samples = { bare: [] as number[], voice: [] as number[], aiLeg: [] as number[] };
  const caller = new Caller(fake, bare, clock);
  try {
    const live: string[] = [];
    for (let call = -warmUps; call < calls; call++) {
      const { callSid, bareMs, voiceMs, aiLegMs } = await caller.call();
      live.push(callSid);
      // The engine always has this many calls on its hands.
      if (live.length > liveCalls) await caller.hangUp(live.shift() as string);
      if (call < 0) continue;
      samples.bare.push(bareMs);
      samples.voice.push(voiceMs);
      samples.aiLeg.push(aiLegMs);
    }
  } finally {
    await bare.stop(true);
    await fake.stop();
  }
  invariant(logged > 0, "the engine logged nothing");
  invariant(fake.store.rows.size === calls + warmUps, "there is not one row for each call");
  const target = { of: "p99", atMost: 5 } as const;
  const { bare: against } = samples;
  return {
    rows: [
      sampledRow({
        what: "bare Bun.serve: form read, fixed document",
        unit: "ms",
        values: against,
        against: "is the baseline",
      }),
      sampledRow({ what: "POST /twilio/voice", unit: "ms", values: samples.voice, against, target }),
      sampledRow({ what: "POST /twilio/ai-leg", unit: "ms", values: samples.aiLeg, against, target }),
    ],
    hash: fold(caller.hash, fake.store.rows.size),
  };
}

/** Twilio, as far as it places a call: signed forms over HTTP, one after another. */
class Caller {
  hash = 0;
  readonly #fake: FakeEngine;
  readonly #bareUrl: string;
  readonly #clock: Clock;
  readonly #ids = seededIds(5);

  constructor(fake: FakeEngine, bare: Server<undefined>, clock: Clock) {
    this.#fake = fake;
    this.#bareUrl = `http://127.0.0.1:${bare.port}/twilio/voice`;
    this.#clock = clock;
  }

  async call() {
    const { engine, carrier } = this.#fake;
    const callSid = this.#ids.sid("CA");
    const form = { AccountSid: ACCOUNT_SID, CallSid: callSid, CallStatus: "ringing", From: CALLER };
    const inbound = { ...form, To: FAKE_ACCOUNT.number, Direction: "inbound", ApiVersion: "2010-04-01" };
    const bare = await this.#post(this.#bareUrl, inbound, "<Conference");
    const voice = await this.#post(`${engine.origin}/twilio/voice`, inbound, "<Conference");
    const added = carrier.next("createParticipant");
    const conferenceSid = carrier.roomSid(`af-${callSid}`);
    engine.supervisor.deliver(callSid, {
      type: "participant.joined",
      label: "caller",
      callSid,
      conferenceSid,
    });
    const [{ to }] = await added;
    const session = new URLSearchParams(to.slice(to.indexOf("?"))).get("session") ?? "";
    const leg = { ...inbound, CallSid: this.#ids.sid("CA"), CallStatus: "in-progress", To: to, session };
    const aiLeg = await this.#post(`${engine.origin}/twilio/ai-leg`, leg, "<Stream");
    return { callSid, bareMs: bare, voiceMs: voice, aiLegMs: aiLeg };
  }

  /** Leaves a moment for what the end of a call entails, which is not part of the next call's wait. */
  async hangUp(callSid: string): Promise<void> {
    this.#fake.engine.supervisor.deliver(callSid, { type: "caller.gone", reason: "dial_ended" });
    await new Promise<void>((resolve) => this.#clock.setTimeout(resolve, 1));
  }

  /** Milliseconds until the whole answer is there. */
  async #post(url: string, form: Record<string, string>, expected: string): Promise<number> {
    const params = new URLSearchParams(form);
    const signature = signTwilioRequest({ authToken: FAKE_ACCOUNT.authToken, url, params });
    const request = new Request(url, {
      method: "POST",
      body: params.toString(),
      headers: { "content-type": "application/x-www-form-urlencoded", "x-twilio-signature": signature },
    });
    const startMs = this.#clock.monotonicMs();
    const response = await fetch(request);
    const text = await response.text();
    const elapsedMs = this.#clock.monotonicMs() - startMs;
    if (response.status !== 200 || !text.includes(expected))
      throw new InvariantError(
        `${url} answered ${response.status} without ${expected}: ${text.slice(0, 200)}`,
      );
    this.hash = fold(this.hash, text.length);
    return elapsedMs;
  }
}

/** What HTTP itself costs between the same two ends: the body is read, and a document of that size returned. */
function bareServer(): Server<undefined> {
  const xml = `<?xml version="1.0" encoding="UTF-8"?><Response><Dial><Conference>${"x".repeat(500)}</Conference></Dial></Response>`;
  return Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const form = new URLSearchParams(await request.text());
      if (!form.has("CallSid")) return new Response("no CallSid\n", { status: 400 });
      return new Response(xml, { headers: { "content-type": "text/xml; charset=utf-8" } });
    },
  });
}
