import { describe, expect, test } from "bun:test";
import { describeConfig } from "../../../engine/config/describe.ts";
import { load, mistakes, namesOf } from "./support.ts";

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318/" };

describe("where spans go", () => {
  test("is nowhere unless a collector is named", async () => {
    expect((await load({})).tracing).toBeNull();
    expect((await load({ OTEL_SERVICE_NAME: "desk" })).tracing).toBeNull();
    expect((await load(ENDPOINT)).tracing).toEqual({
      endpoint: "http://127.0.0.1:4318",
      headers: {},
      serviceName: "tandem",
    });
  });

  test("may ask for headers, which are told to nobody else", async () => {
    const env = {
      ...ENDPOINT,
      OTEL_EXPORTER_OTLP_HEADERS: "Authorization=Bearer%20a-secret, x-team=night",
      OTEL_SERVICE_NAME: "desk",
    };
    const config = await load(env);
    expect(config.tracing).toMatchObject({
      headers: { authorization: "Bearer a-secret", "x-team": "night" },
      serviceName: "desk",
    });
    const text = describeConfig(config).join("\n");
    expect(text).toContain("127.0.0.1:4318");
    expect(text).not.toContain("a-secret");
  });

  test("is refused by name when it is no address, and headers that are none or have nowhere to go", async () => {
    expect(await namesOf({ OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" })).toEqual([
      "OTEL_EXPORTER_OTLP_ENDPOINT",
    ]);
    const HEADERS = "OTEL_EXPORTER_OTLP_HEADERS";
    for (const value of ["a-secret", "a=b,", "a=%zz", "a=%0d%0ab", "a b=c"]) {
      const issues = await mistakes({ ...ENDPOINT, [HEADERS]: value });
      expect([value, issues.map(({ name }) => name)]).toEqual([value, [HEADERS]]);
      expect(JSON.stringify(issues)).not.toContain("a-secret");
    }
    expect(await namesOf({ [HEADERS]: "a=b" })).toEqual([HEADERS]);
  });
});

describe("the price table", () => {
  test("has prices with their day, and none for what nobody could say the price of", async () => {
    const { prices } = (await load({})).deployment;
    expect(prices).toMatchObject({
      currency: "USD",
      asOf: "2026-11-22",
      models: { "gpt-realtime-2.1": { textInput: 4, audioOutput: 64 } },
      carrier: { inboundMinute: 0.0085, appMinute: null, streamMinute: null, message: null },
    });
  });

  test("is the deployment's own as a whole, and what it leaves out is unknown", async () => {
    const { prices } = (await load({}, { prices: { currency: "EUR", carrier: { message: 0.07 } } }))
      .deployment;
    expect(prices).toMatchObject({ currency: "EUR", asOf: null, models: {} });
    expect([prices.carrier.message, prices.carrier.inboundMinute]).toEqual([0.07, null]);
  });

  test("is refused by name", async () => {
    expect(await namesOf({}, { prices: { currency: "dollars" } })).toEqual(["prices.currency"]);
    expect(await namesOf({}, { prices: { currency: "USD", carrier: { minute: 1 } } })).toEqual([
      "prices.carrier.minute",
    ]);
    expect(await namesOf({}, { prices: { currency: "USD", models: { m: { textInput: -1 } } } })).toEqual([
      "prices.models.m.textInput",
    ]);
  });
});
