/**
 * The port `Extractor` on OpenAI's Responses API with structured output: `POST …/responses`, the answer in the
 * form of a JSON Schema (`text.format`, strict). Nothing is stored at OpenAI (`store: false`). Shapes as in the types
 * of the `openai` package; what arrives is checked all the same.
 */
import type { ResponseCreateParamsNonStreaming } from "openai/resources/responses/responses";
import { z } from "zod";
import type {
  Extractor,
  ExtractorAnswer,
  ExtractorProblem,
  ExtractorRequest,
} from "../../engine/extractor-port.ts";
import { type Network, systemNetwork } from "../../engine/platform/network.ts";
import type { Clock, Log } from "../../engine/ports.ts";

export interface OpenAiExtractorOptions {
  readonly apiKey: string;
  /** `http(s)` origin and path such as `https://api.openai.com/v1`, without a slash at the end. */
  readonly baseUrl: string;
  /** One that has structured output. */
  readonly model: string;
  /** For one request, until its answer is read. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Default: the machine's own. */
  readonly network?: Pick<Network, "fetch">;
}

/** With what a model that reasons spends on it. */
const MAX_OUTPUT_TOKENS = 16_000;
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

const ErrorBody = z.looseObject({ error: z.looseObject({ code: z.string().max(100).nullish() }) });

const Content = z.looseObject({
  type: z.string(),
  text: z.string().optional(),
  refusal: z.string().optional(),
});
const Body = z.looseObject({
  status: z.string().optional(),
  error: z.looseObject({ code: z.string().nullish() }).nullish(),
  incomplete_details: z.looseObject({ reason: z.string().nullish() }).nullish(),
  output: z.array(z.looseObject({ type: z.string(), content: z.array(Content).optional() })),
  usage: z.looseObject({ input_tokens: z.number(), output_tokens: z.number() }).nullish(),
});

export function createOpenAiExtractor(options: OpenAiExtractorOptions): Extractor {
  return new OpenAiExtractor(options);
}

class OpenAiExtractor implements Extractor {
  readonly model: string;
  readonly #options: OpenAiExtractorOptions;
  readonly #counters: Record<string, number> = { answered: 0 };

  constructor(options: OpenAiExtractorOptions) {
    this.model = options.model;
    this.#options = options;
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#counters };
  }

  async extract(request: ExtractorRequest, signal?: AbortSignal): Promise<ExtractorAnswer> {
    const { clock, timeoutMs } = this.#options;
    const late = new AbortController();
    const timer = clock.setTimeout(() => late.abort(), timeoutMs);
    const ended = signal ? AbortSignal.any([signal, late.signal]) : late.signal;
    let answer: ExtractorAnswer;
    try {
      answer = await this.#ask(request, ended);
    } catch {
      answer = failed(late.signal.aborted ? "timeout" : "unreachable");
    } finally {
      clock.clearTimeout(timer);
    }
    const name = answer.ok ? "answered" : answer.problem;
    this.#counters[name] = (this.#counters[name] ?? 0) + 1;
    return answer;
  }

  async #ask(request: ExtractorRequest, signal: AbortSignal): Promise<ExtractorAnswer> {
    const { apiKey, baseUrl, log, network = systemNetwork } = this.#options;
    const response = await network.fetch(`${baseUrl}/responses`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${apiKey}` },
      body: JSON.stringify(this.#body(request)),
      // The key goes nowhere else.
      redirect: "manual",
      signal,
    });
    const text = await boundedText(response);
    const json = text === null ? undefined : parsed(text);
    if (!response.ok) {
      const code = ErrorBody.safeParse(json).data?.error.code ?? null;
      const problem = problemOf(response.status, code);
      log.warn("extractor.refused", { status: response.status, code, problem });
      return failed(problem, response.status);
    }
    const body = Body.safeParse(json);
    return body.success ? read(body.data) : failed("malformed", response.status);
  }

  #body({ instructions, input, format }: ExtractorRequest): ResponseCreateParamsNonStreaming {
    return {
      model: this.model,
      instructions,
      input,
      text: {
        format: { type: "json_schema", strict: true, name: format.name, schema: { ...format.schema } },
      },
      max_output_tokens: MAX_OUTPUT_TOKENS,
      store: false,
    };
  }
}

function read({ status, error, output, usage }: z.output<typeof Body>): ExtractorAnswer {
  if (status === "incomplete") return failed("incomplete", 200);
  if (status !== "completed") {
    return failed(error?.code === "rate_limit_exceeded" ? "rate_limited" : "server_error", 200);
  }
  const contents = output.flatMap((item) => (item.type === "message" ? (item.content ?? []) : []));
  if (contents.some(({ type }) => type === "refusal")) return failed("refused", 200);
  const text = contents.map((each) => (each.type === "output_text" ? (each.text ?? "") : "")).join("");
  const json = parsed(text);
  if (json === undefined) return failed("malformed", 200);
  const used = usage ? { inputTokens: usage.input_tokens, outputTokens: usage.output_tokens } : null;
  return { ok: true, json, usage: used };
}

function failed(problem: ExtractorProblem, status = 0): ExtractorAnswer {
  return { ok: false, problem, status };
}

function problemOf(status: number, code: string | null): ExtractorProblem {
  if (status === 401 || status === 403) return "auth_failed";
  if (code === "insufficient_quota" || code === "billing_hard_limit_reached") return "quota_exceeded";
  if (status === 429) return "rate_limited";
  return status >= 500 ? "server_error" : "rejected";
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `null`: it is longer than any answer. */
async function boundedText(response: Response): Promise<string | null> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.byteLength;
    if (bytes > MAX_ANSWER_BYTES) return null;
    text += decoder.decode(piece, { stream: true });
  }
  return text;
}
