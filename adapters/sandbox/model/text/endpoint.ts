/**
 * `POST /v1/responses` for structured output: the shapes of OpenAI's Responses API, with its refusals, and the
 * answers that are none. What it answers comes from rules over what it is sent (see rules.ts).
 */
import type { Response as TextResponse, ResponseOutputMessage } from "openai/resources/responses/responses";
import type { Clock, Ids, Speaker } from "../../../../engine/ports.ts";
import type { Faults } from "../faults.ts";
import { SERVER_ERROR_TEXT } from "../protocol-errors.ts";
import type { ProtocolError } from "../wire.ts";
import { fill } from "./fill.ts";
import { inputText, readRequest, type TextRequest } from "./request.ts";
import { linesIn } from "./transcript.ts";

export interface TextEndpointOptions {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly takeFault: () => Faults["textResponse"];
}

type Fault = NonNullable<Faults["textResponse"]>;

const MAY_BE_CALLER: ReadonlySet<Speaker> = new Set(["caller", "both", "unknown"]);
const REFUSAL = "I'm sorry, but I can't help with that.";
const CHARS_PER_TOKEN = 4;

const tokensOf = (text: string): number => Math.ceil(text.length / CHARS_PER_TOKEN);

export class TextEndpoint {
  readonly #options: TextEndpointOptions;
  readonly counts = { textAsked: 0, textRefused: 0 };

  constructor(options: TextEndpointOptions) {
    this.#options = options;
  }

  /** Of a client that has shown the right key. */
  async answer(request: Request): Promise<Response> {
    if (request.method !== "POST") return new Response(null, { status: 405, headers: { allow: "POST" } });
    this.counts.textAsked++;
    const fault = this.#options.takeFault();
    if (fault?.kind === "hang") await aborted(request.signal);
    if (fault?.kind === "garbage") return new Response("<html>502 Bad Gateway</html>");
    if (fault?.kind === "error") return this.#refuse(fault.status, faultError(fault.status));
    let body: unknown;
    try {
      body = await request.json();
    } catch {
      const message = "We could not parse the JSON body of your request.";
      return this.#refuse(400, { type: "invalid_request_error", code: null, message, param: null });
    }
    const read = readRequest(body);
    if ("error" in read) return this.#refuse(400, read.error);
    return Response.json(this.#respond(read.request, fault));
  }

  #refuse(status: number, error: ProtocolError | (Omit<ProtocolError, "code"> & { code: null })): Response {
    this.counts.textRefused++;
    return Response.json({ error }, { status });
  }

  #respond(request: TextRequest, fault: Fault | null): TextResponse {
    const input = inputText(request);
    const all = linesIn(input);
    const said = {
      all,
      caller: all.filter(({ speaker }) => MAY_BE_CALLER.has(speaker)),
      agent: all.filter(({ speaker }) => speaker === "agent"),
    };
    const text = JSON.stringify(fill(request.text.format.schema, "", said));
    const max = fault?.kind === "incomplete" ? 16 : (request.max_output_tokens ?? Number.POSITIVE_INFINITY);
    const cut = tokensOf(text) > max;
    if (fault?.kind === "failed") return this.#body(request, input, { status: "failed", said: "" });
    if (fault?.kind === "refusal")
      return this.#body(request, input, { status: "completed", refusal: REFUSAL });
    const shown = cut ? text.slice(0, max * CHARS_PER_TOKEN) : text;
    return this.#body(request, input, { status: cut ? "incomplete" : "completed", said: shown });
  }

  #body(
    request: TextRequest,
    input: string,
    end: {
      readonly status: "completed" | "incomplete" | "failed";
      readonly said?: string;
      readonly refusal?: string;
    },
  ): TextResponse {
    const { clock, ids } = this.#options;
    const { status, said = "", refusal } = end;
    const content: ResponseOutputMessage["content"] =
      refusal === undefined
        ? [{ type: "output_text", text: said, annotations: [], logprobs: [] }]
        : [{ type: "refusal", refusal }];
    const message: ResponseOutputMessage = {
      id: ids.sid("msg_"),
      type: "message",
      role: "assistant",
      status: status === "incomplete" ? "incomplete" : "completed",
      content,
    };
    const [inputTokens, outputTokens] = [
      tokensOf(input + (request.instructions ?? "")),
      tokensOf(refusal ?? said),
    ];
    const body = {
      id: ids.sid("resp_"),
      object: "response" as const,
      created_at: Math.floor(clock.now() / 1000),
      status,
      error: status === "failed" ? { code: "server_error" as const, message: SERVER_ERROR_TEXT } : null,
      incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" as const } : null,
      instructions: request.instructions ?? null,
      max_output_tokens: request.max_output_tokens ?? null,
      metadata: {},
      model: request.model,
      output: status === "failed" ? [] : [message],
      parallel_tool_calls: true,
      previous_response_id: null,
      store: request.store ?? true,
      temperature: 1,
      text: request.text,
      tool_choice: "auto" as const,
      tools: [],
      top_p: 1,
      truncation: "disabled" as const,
      usage: {
        input_tokens: inputTokens,
        input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
        output_tokens: outputTokens,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: inputTokens + outputTokens,
      },
    };
    // `output_text` is made by the client library, and not sent.
    return body as unknown as TextResponse;
  }
}

function faultError(status: number): ProtocolError {
  if (status === 429) {
    const message = "Rate limit reached. Please try again later.";
    return { type: "requests", code: "rate_limit_exceeded", message, param: null };
  }
  const type = status >= 500 ? "server_error" : "invalid_request_error";
  return { type, code: type, message: SERVER_ERROR_TEXT, param: null };
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
