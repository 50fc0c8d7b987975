import { describe, expect, test } from "bun:test";
import { atEndpoint, resolveEndpoint } from "../../../adapters/twilio/endpoint.ts";
import { ConfigError } from "../../../engine/errors.ts";

describe("resolveEndpoint", () => {
  test.each([
    [{}, "https://api.twilio.com"],
    [{ region: "us1" }, "https://api.twilio.com"],
    [{ region: "ie1" }, "https://api.dublin.ie1.twilio.com"],
    [{ region: "au1" }, "https://api.sydney.au1.twilio.com"],
    [{ region: "ie1", edge: "frankfurt" }, "https://api.frankfurt.ie1.twilio.com"],
    [{ edge: "ashburn" }, "https://api.ashburn.us1.twilio.com"],
    [{ region: "", edge: "" }, "https://api.twilio.com"],
    [{ region: "ie1", baseUrl: "http://127.0.0.1:4010/" }, "http://127.0.0.1:4010"],
    [{ baseUrl: "https://rec.example/twilio/v1//" }, "https://rec.example/twilio/v1"],
  ])("%j is %s", (options, endpoint) => {
    expect(resolveEndpoint(options)).toBe(endpoint);
  });

  test.each([
    [{ region: "de1" }, "TWILIO_REGION"],
    [{ edge: "evil.example/" }, "TWILIO_EDGE"],
    [{ baseUrl: "127.0.0.1:4010" }, "TWILIO_API_BASE_URL"],
    [{ baseUrl: "ftp://h.example" }, "TWILIO_API_BASE_URL"],
    [{ baseUrl: "https://user@h.example" }, "TWILIO_API_BASE_URL"],
    [{ baseUrl: "https://h.example/?x=1" }, "TWILIO_API_BASE_URL"],
  ])("%j is refused by the name %s", (options, name) => {
    expect(() => resolveEndpoint(options)).toThrow(ConfigError);
    expect(() => resolveEndpoint(options)).toThrow(name);
  });

  test("a request keeps its path and query under the prefix", () => {
    expect(atEndpoint("http://h.example/p", "https://api.ie1.twilio.com/2010-04-01/x.json?A=b%20c")).toBe(
      "http://h.example/p/2010-04-01/x.json?A=b%20c",
    );
  });
});
