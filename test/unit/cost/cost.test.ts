import { describe, expect, test } from "bun:test";
import { NO_USAGE } from "../../../engine/call/voice-state.ts";
import { type DeploymentInput, deploymentSchema } from "../../../engine/config/deployment.ts";
import { CostMetrics } from "../../../engine/cost/cost-metrics.ts";
import {
  costOf,
  extractionMicros,
  type PriceTable,
  tokensByKind,
  type Used,
  withExtraction,
} from "../../../engine/cost/cost.ts";
import { skippedRow } from "../../../engine/postcall/facts.ts";
import { costSchema } from "../../../engine/postcall/schema.ts";

const pricesOf = (prices?: DeploymentInput["prices"]): PriceTable =>
  deploymentSchema.parse(prices ? { prices } : {}).prices;

/** The usage object of the API's own example: 132 in, 13 of them audio, 64 cached; 121 out, 91 of them audio. */
const TOKENS = {
  inputTokens: 132,
  outputTokens: 121,
  cachedTokens: 64,
  cachedAudioTokens: 0,
  inputAudioTokens: 13,
  outputAudioTokens: 91,
};
const USED: Used = {
  modelName: "gpt-realtime-2.1",
  tokens: TOKENS,
  minutes: { inbound: 3, outbound: 2, app: 0, stream: 0, conference: 7, recording: 0 },
  messages: 0,
  gaps: [],
};

describe("the cost of a call", () => {
  test("is that of each kind of token and of each minute, in millionths", () => {
    const cost = costOf(USED, pricesOf());
    // (119 − 64)·4 + 64·0.40 + 13·32 + 30·24 + 91·64, in dollars per million: 7205.6 millionths of a dollar.
    expect(cost.model.micros).toBe(7206);
    expect(cost.carrier.inbound).toEqual({ minutes: 3, micros: 25_500 });
    expect(cost.carrier.outbound).toEqual({ minutes: 2, micros: 28_000 });
    expect(cost.carrier.conference).toEqual({ minutes: 7, micros: 12_600 });
    expect(cost).toMatchObject({ currency: "USD", pricesAsOf: "2026-11-22", totalMicros: 73_306 });
    // What was not used needs no price.
    expect([cost.complete, cost.unpriced]).toEqual([true, []]);
    expect(costSchema.parse(cost)).toEqual(cost);
  });

  test("says which parts have no price, and never makes one up", () => {
    const minutes = { ...USED.minutes, app: 3, stream: 3 };
    const cost = costOf({ ...USED, minutes, messages: 2 }, pricesOf());
    expect(cost.carrier.app).toEqual({ minutes: 3, micros: null });
    expect(cost.messages).toEqual({ count: 2, micros: null });
    expect([cost.complete, cost.unpriced]).toEqual([false, ["app", "stream", "messages"]]);
    expect(cost.totalMicros).toBe(73_306);
    for (const modelName of ["another-model", "constructor", null]) {
      const unknown = costOf({ ...USED, modelName }, pricesOf());
      expect([unknown.model.micros, unknown.unpriced]).toEqual([null, ["model"]]);
    }
  });

  test("goes by the deployment's own table alone, whatever the default one holds", () => {
    const cost = costOf(
      { ...USED, messages: 3 },
      pricesOf({ currency: "EUR", carrier: { inboundMinute: 0.01, message: 0.075 } }),
    );
    expect(cost).toMatchObject({ currency: "EUR", pricesAsOf: null, totalMicros: 30_000 + 225_000 });
    expect(cost.unpriced).toEqual(["model", "outbound", "conference"]);
  });

  test("is incomplete when something may not be counted, with the reason", () => {
    const cost = costOf({ ...USED, gaps: ["restart"] }, pricesOf());
    expect([cost.complete, cost.gaps]).toEqual([false, ["restart"]]);
  });

  test("takes cached input out of the kind it is of, and no kind is ever negative", () => {
    expect(tokensByKind({ ...TOKENS, cachedTokens: 70, cachedAudioTokens: 6 })).toEqual({
      textInput: 55,
      cachedTextInput: 64,
      textOutput: 30,
      audioInput: 7,
      cachedAudioInput: 6,
      audioOutput: 91,
    });
    // A provider that counts more than there is.
    const odd = tokensByKind({
      ...TOKENS,
      cachedTokens: 9999,
      cachedAudioTokens: 9999,
      outputAudioTokens: 500,
    });
    expect(Object.values(odd).every((count) => count >= 0)).toBe(true);
  });

  test("grows by what reading the transcript cost, however often that is told", () => {
    const prices = pricesOf({ currency: "USD", models: { reader: { textInput: 0.25, textOutput: 2 } } });
    const usage = { inputTokens: 4000, outputTokens: 300 };
    const micros = extractionMicros(usage, "reader", prices);
    expect(micros).toBe(1600);
    const call = costOf({ ...USED, tokens: NO_USAGE }, prices);
    const extraction = {
      ...skippedRow("off"),
      status: "done",
      model: "reader",
      usage,
      costMicros: micros,
    } as const;
    const once = withExtraction(call, extraction);
    expect(once?.totalMicros).toBe(call.totalMicros + 1600);
    expect(withExtraction(once, extraction)).toEqual(once);
    const retried = withExtraction(withExtraction(call, { ...extraction, attempts: 2 }), {
      ...extraction,
      attempts: 2,
    });
    expect([retried?.complete, retried?.gaps]).toEqual([false, ["extraction_retried"]]);
    const unpriced = withExtraction(call, { ...extraction, costMicros: null });
    expect([unpriced?.complete, unpriced?.unpriced.includes("extraction")]).toEqual([false, true]);
    expect(withExtraction(call, skippedRow("off"))).toEqual(call);
    expect(withExtraction(null, extraction)).toBeNull();
  });

  test("is told of all calls, in the currency's own units", () => {
    const metrics = new CostMetrics();
    metrics.usage(TOKENS);
    for (const messages of [0, 2]) metrics.callOver(costOf({ ...USED, messages }, pricesOf()));
    metrics.extracted({ inputTokens: 10, outputTokens: 5 }, null);
    expect(metrics.calls).toEqual({ complete: 1, incomplete: 1 });
    expect([metrics.messages, metrics.billedS["inbound"], metrics.tokens["audioOutput"]]).toEqual([
      2, 360, 91,
    ]);
    const inbound = metrics.money.find(({ labels }) => labels.part === "inbound");
    expect(inbound).toEqual({ labels: { part: "inbound", currency: "USD" }, value: 0.051 });
    expect(metrics.tokens["extractionInput"]).toBe(10);
  });
});
