/** The short forms of the fuzzers: some inputs of each edge, all against one engine. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Dice } from "../sim/dice.ts";
import { campaign } from "./campaign.ts";
import type { Answer } from "./raw.ts";
import { Broken } from "./edge.ts";
import { EDGES } from "./edges.ts";
import { startTarget, type Target } from "./target.ts";
import { checkAnswer } from "./webhooks.ts";

const INPUTS: Readonly<Record<string, number>> = { webhooks: 200, media: 40, console: 80, model: 2 };

/** For a machine with other work; nothing is timed by it. */
const GUARD_MS = 180_000;

let target: Target;
beforeAll(async () => {
  target = await startTarget();
  await target.honestCall();
}, GUARD_MS);
afterAll(async () => {
  await target.stop();
}, GUARD_MS);

describe("an engine that is sent what nobody should send", () => {
  test.each(Object.keys(EDGES))(
    "at its %s lives, keeps its promises, has nothing left, and takes a call",
    async (name) => {
      const create = EDGES[name] as () => ReturnType<(typeof EDGES)[string]>;
      const inputs = INPUTS[name] ?? 0;
      const plan = { edge: create(), seed: 1, from: 0, inputs, minutes: Number.POSITIVE_INFINITY };
      expect(await campaign(plan, target)).toMatchObject({ inputs, broken: null });
    },
    GUARD_MS,
  );
});

describe("a fuzzer", () => {
  test.each(Object.keys(EDGES))("of the %s draws the same input from the same seed", (name) => {
    const shown = (seed: number) => EDGES[name]?.().draw(new Dice(seed), 5).shown();
    expect(shown(3)).toBe(shown(3) as string);
    expect(shown(3)).not.toBe(shown(4) as string);
  });

  test("finds an answer that breaks a promise", () => {
    const xml = "content-type: text/xml";
    const answer = (status: number, head: string, body: string): Answer => ({ status, head, body });
    const wrong: readonly Answer[] = [
      answer(500, "", "internal error"),
      answer(200, "", `the token is ${target.authToken}`),
      answer(200, "x-injected: 1", ""),
      answer(200, xml, '<Response><Say a="b" Injected="1">x</Say></Response>'),
      answer(200, xml, "<Response><Injected/></Response>"),
      answer(200, xml, "<Response><Say>&nope;</Say></Response>"),
      answer(200, xml, "<Response>"),
    ];
    for (const each of wrong) expect(() => checkAnswer(each, target)).toThrow(Broken);
    expect(() => checkAnswer(answer(200, xml, "<Response><Hangup/></Response>"), target)).not.toThrow();
  });

  test(
    "finds what was left behind",
    async () => {
      const caller = await target.dial(29);
      await caller.answered();
      expect((await target.metrics()).get('tandem_media_now{kind="live"}')).toBe(1);
      await caller.hangUp();
      await target.atRest();
      expect((await target.metrics()).get('tandem_media_now{kind="live"}')).toBe(0);
    },
    GUARD_MS,
  );
});
