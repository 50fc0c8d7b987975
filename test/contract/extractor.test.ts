/** What an extractor promises, over real HTTP: against the sandbox's model, and against servers that misbehave. */
import { afterEach, describe, expect, test } from "bun:test";
import { createOpenAiExtractor } from "../../adapters/openai/extractor.ts";
import { createHearing } from "../../adapters/sandbox/hearing.ts";
import type { FaultsPatch } from "../../adapters/sandbox/model/faults.ts";
import { type Model, startModel } from "../../adapters/sandbox/model/server.ts";
import type { ExtractorAnswer } from "../../engine/extractor-port.ts";
import { systemClock } from "../../engine/platform/clock.ts";
import { seededIds } from "../../engine/platform/ids.ts";
import { silentLog } from "../../engine/platform/log.ts";
import { extractionSchema, formatOf } from "../../engine/postcall/schema.ts";
import { INSTRUCTIONS, inputOf } from "../../engine/postcall/transcript.ts";
import { keptLog } from "../unit/call/support.ts";
import { noiseSpeech } from "../support/world.ts";

const KEY = "a-key-for-tests-only";
const SCHEMA = extractionSchema([]);
const REQUEST = {
  instructions: INSTRUCTIONS,
  input: inputOf([{ entry: 3, speaker: "caller", text: "My name is Maria Gomez." }]),
  format: formatOf(SCHEMA),
};

const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function sandbox(faults: FaultsPatch = {}): Promise<Model> {
  const parts = { clock: systemClock, ids: seededIds(9), log: silentLog };
  const model = await startModel({
    ...parts,
    speech: noiseSpeech(),
    hearing: createHearing(),
    apiKey: KEY,
    faults,
  });
  stops.push(() => model.stop());
  return model;
}

function extractor(baseUrl: string, more: { readonly apiKey?: string; readonly timeoutMs?: number } = {}) {
  const options = { apiKey: KEY, baseUrl, model: "gpt-5.4-mini", timeoutMs: 5000, ...more };
  return createOpenAiExtractor({ ...options, clock: systemClock, log: silentLog });
}

/** A server that answers everything in this way. */
function serving(answer: (request: Request) => Response | Promise<Response>): string {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer });
  stops.push(() => server.stop(true));
  return `http://127.0.0.1:${server.port}/v1`;
}

const problemOf = (answer: ExtractorAnswer): string => (answer.ok ? "none" : answer.problem);

describe("an extractor", () => {
  test("gives JSON in the form that it was asked for, and what it cost", async () => {
    const { url } = await sandbox();
    const one = extractor(url);
    const answer = await one.extract(REQUEST);
    if (!answer.ok) throw new Error(answer.problem);
    const { slots } = SCHEMA.parse(answer.json);
    expect(slots.name).toMatchObject({
      value: "Maria Gomez",
      spans: [{ entry: 3, start: 11, end: 22, text: "Maria Gomez" }],
    });
    expect(answer.usage?.inputTokens).toBeGreaterThan(100);
    expect(answer.usage?.outputTokens).toBeGreaterThan(10);
    expect(one.counters()).toEqual({ answered: 1 });
  });

  test("asks for strict structured output that is stored nowhere, with its key", async () => {
    let seen: { readonly headers: Headers; readonly path: string; readonly body: unknown } | null = null;
    const url = serving(async (request) => {
      const { pathname: path } = new URL(request.url);
      seen = { headers: request.headers, path, body: await request.json() };
      return new Response(null, { status: 500 });
    });
    await extractor(url).extract(REQUEST);
    expect(seen).toMatchObject({
      path: "/v1/responses",
      body: {
        model: "gpt-5.4-mini",
        store: false,
        instructions: INSTRUCTIONS,
        input: REQUEST.input,
        text: { format: { type: "json_schema", strict: true, ...REQUEST.format } },
      },
    });
    const { headers } = seen as unknown as { readonly headers: Headers };
    expect(headers.get("authorization")).toBe(`Bearer ${KEY}`);
  });

  test.each([
    [{ kind: "error" }, "server_error", 500],
    [{ kind: "error", status: 429 }, "rate_limited", 429],
    [{ kind: "error", status: 400 }, "rejected", 400],
    [{ kind: "error", status: 403 }, "auth_failed", 403],
    [{ kind: "refusal" }, "refused", 200],
    [{ kind: "incomplete" }, "incomplete", 200],
    [{ kind: "failed" }, "server_error", 200],
    [{ kind: "garbage" }, "malformed", 200],
  ] as const)("tells of %j by name", async (fault, problem, status) => {
    const { url } = await sandbox({ textResponse: { ...fault } });
    const one = extractor(url);
    expect(await one.extract(REQUEST)).toEqual({ ok: false, problem, status });
    expect(one.counters()).toEqual({ answered: 0, [problem]: 1 });
  });

  test("gives up on a model that does not answer, and when it is told to", async () => {
    const { url } = await sandbox({ textResponse: { kind: "hang" } });
    expect(problemOf(await extractor(url, { timeoutMs: 30 }).extract(REQUEST))).toBe("timeout");
    const abort = new AbortController();
    const work = extractor(url).extract(REQUEST, abort.signal);
    abort.abort();
    expect(problemOf(await work)).toBe("unreachable");
  });

  test("tells of a wrong key, and of nobody who listens", async () => {
    const model = await sandbox();
    expect(await extractor(model.url, { apiKey: "other" }).extract(REQUEST)).toEqual({
      ok: false,
      problem: "auth_failed",
      status: 401,
    });
    const gone = serving(() => new Response());
    await stops.pop()?.();
    expect(problemOf(await extractor(gone).extract(REQUEST))).toBe("unreachable");
  });

  test.each([
    ["another page", "<html>", "malformed"],
    ["nothing", "", "malformed"],
    ["no output", JSON.stringify({ status: "completed" }), "malformed"],
    ["no words", JSON.stringify({ status: "completed", output: [] }), "malformed"],
    ["no status", JSON.stringify({ output: [] }), "server_error"],
    ["more than any answer has", `"${"x".repeat(5 * 1024 * 1024)}"`, "malformed"],
    [
      "words that are no JSON",
      JSON.stringify({
        status: "completed",
        output: [{ type: "message", content: [{ type: "output_text", text: "Sure! {" }] }],
      }),
      "malformed",
    ],
  ])("takes %s for what it is", async (_, text, problem) => {
    expect(problemOf(await extractor(serving(() => new Response(text))).extract(REQUEST))).toBe(problem);
  });

  test("follows nobody elsewhere with its key, and knows an empty account", async () => {
    const elsewhere = serving(() => Response.redirect("http://127.0.0.1:9/", 307));
    expect(problemOf(await extractor(elsewhere).extract(REQUEST))).toBe("rejected");
    const empty = serving(() => Response.json({ error: { code: "insufficient_quota" } }, { status: 429 }));
    expect(problemOf(await extractor(empty).extract(REQUEST))).toBe("quota_exceeded");
  });

  test("says what was refused by code, and logs no word of it", async () => {
    const { log, lines } = keptLog();
    const answer = { error: { code: "invalid_prompt", message: "My name is Maria Gomez." } };
    const baseUrl = serving(() => Response.json(answer, { status: 400 }));
    const options = { apiKey: KEY, baseUrl, model: "m", timeoutMs: 5000, clock: systemClock, log };
    await createOpenAiExtractor(options).extract(REQUEST);
    expect(lines).toMatchObject([{ event: "extractor.refused", status: 400, code: "invalid_prompt" }]);
    expect(JSON.stringify(lines)).not.toContain("Maria");
  });
});

describe("the sandbox's text model", () => {
  const ask = async (body: unknown, init: RequestInit = {}): Promise<Response> => {
    const { url } = await sandbox();
    const headers = { authorization: `Bearer ${KEY}`, "content-type": "application/json" };
    return await fetch(`${url}/responses`, { method: "POST", headers, body: JSON.stringify(body), ...init });
  };
  const format = { type: "json_schema", strict: true, ...REQUEST.format };
  const request = { model: "m", input: REQUEST.input, text: { format } };

  test("answers in the shape of the API, which no client has to guess", async () => {
    const body = (await (await ask(request)).json()) as Record<string, unknown>;
    expect(body).toMatchObject({
      id: expect.stringMatching(/^resp_/),
      object: "response",
      status: "completed",
      error: null,
      incomplete_details: null,
      model: "m",
      output: [
        {
          type: "message",
          role: "assistant",
          status: "completed",
          content: [{ type: "output_text", annotations: [] }],
        },
      ],
      usage: { output_tokens_details: { reasoning_tokens: 0 } },
    });
    expect(body).not.toHaveProperty("output_text");
  });

  test("reads messages as well as text, and cuts what is longer than it may be", async () => {
    const input = [{ role: "user", content: [{ type: "input_text", text: REQUEST.input }] }];
    const body = (await (await ask({ ...request, input, max_output_tokens: 20 })).json()) as {
      readonly status: string;
      readonly incomplete_details: unknown;
      readonly output: readonly { readonly content: readonly { readonly text: string }[] }[];
    };
    expect(body.status).toBe("incomplete");
    expect(body.incomplete_details).toEqual({ reason: "max_output_tokens" });
    expect(body.output[0]?.content[0]?.text).toHaveLength(80);
  });

  test.each([
    ["no model", { model: undefined }, "model", "missing_required_parameter"],
    ["no input", { input: undefined }, "input", "missing_required_parameter"],
    ["a stream", { stream: true }, "stream", "unsupported_value"],
    [
      "an open schema",
      { text: { format: { ...format, schema: { type: "object", properties: {} } } } },
      "text.format.schema",
      "invalid_json_schema",
    ],
    [
      "a member that is not required",
      {
        text: {
          format: {
            ...format,
            schema: {
              type: "object",
              additionalProperties: false,
              properties: { a: { type: "string" } },
              required: [],
            },
          },
        },
      },
      "text.format.schema",
      "invalid_json_schema",
    ],
  ])("refuses %s as the API does", async (_, change, param, code) => {
    const answer = await ask({ ...request, ...change });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { type: "invalid_request_error", param, code } });
  });

  test("wants the key, POST and JSON", async () => {
    expect((await ask(request, { headers: {} })).status).toBe(401);
    expect((await ask(request, { method: "PUT" })).status).toBe(405);
    expect((await ask(request, { body: "{" })).status).toBe(400);
  });
});
