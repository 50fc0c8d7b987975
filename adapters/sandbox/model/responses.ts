/** The responses of a session: one that writes to the conversation, and a few out of band beside it. */
import type { ResponseParams } from "./client-events.ts";
import { itemText, makeEntry, type Entry } from "./conversation.ts";
import type { FaultBox } from "./faults.ts";
import { historyOf, newsOf, type Persona, type PersonaTurn, type Reply } from "./persona.ts";
import {
  activeResponse,
  cancelNotActive,
  invalidRequest,
  serverError,
  SERVER_ERROR_TEXT,
} from "./protocol-errors.ts";
import { ResponseRun, type RunContext, type RunSettings } from "./response-run.ts";
import { formatObject, type SessionConfig } from "./session-config.ts";
import { fitArguments } from "./tool-arguments.ts";
import { inputTokens, type InputTokens } from "./usage.ts";
import type { FunctionTool, Item, ProtocolError } from "./wire.ts";

export const MAX_OUT_OF_BAND = 8;

export interface ResponsesHost {
  readonly run: Omit<RunContext, "onDone" | "faults">;
  readonly faults: FaultBox;
  readonly config: () => SessionConfig;
  readonly persona: () => Persona;
  /** A response that writes to the conversation began or ended; `audioMs` is how long it is to play. */
  readonly onStart: () => void;
  readonly onDone: (audioMs: number) => void;
  /** An answer that had to wait could not be given. */
  readonly onRefused: (error: ProtocolError) => void;
}

export class Responses {
  readonly #host: ResponsesHost;
  readonly #memory = new Map<string, number>();
  readonly #outOfBand = new Map<string, ResponseRun>();
  #active: ResponseRun | null = null;
  /** The caller's turn ended before the response it interrupted had: its answer waits, the newest only. */
  #waiting: "turn" | "idle" | null = null;
  #seen: InputTokens = { text: 0, audio: 0 };
  created = 0;
  /** Some response with speech was created: the voice is locked. */
  spoken = false;

  constructor(host: ResponsesHost) {
    this.#host = host;
  }

  get activeId(): string | null {
    return this.#active?.id ?? null;
  }

  get outOfBandCount(): number {
    return this.#outOfBand.size;
  }

  create(trigger: PersonaTurn["trigger"], params: ResponseParams): ProtocolError | null {
    const { faults, run: context } = this.#host;
    const outOfBand = params.conversation === "none";
    if (!outOfBand && this.#active) {
      if (trigger === "client" || !this.#active.cancelling) return activeResponse(this.#active.id);
      this.#waiting = trigger;
      return null;
    }
    if (outOfBand && this.#outOfBand.size >= MAX_OUT_OF_BAND) {
      const text = `At most ${MAX_OUT_OF_BAND} out-of-band responses can run at a time.`;
      return invalidRequest("rate_limit_exceeded", text);
    }
    const entries = this.#entries(params);
    if ("error" in entries) return entries.error;
    if (faults.take("serverError")) return serverError(SERVER_ERROR_TEXT);
    const settings = this.#settings(trigger, params, entries.entries);
    const onDone = (done: ResponseRun): void => this.#done(done);
    const run = new ResponseRun(settings, { ...context, faults: () => faults.current, onDone });
    this.created++;
    this.#seen = outOfBand ? this.#seen : settings.input;
    if (settings.modality === "audio") this.spoken = true;
    if (outOfBand) this.#outOfBand.set(run.id, run);
    else {
      this.#active = run;
      this.#host.onStart();
    }
    run.start(faults.take("failResponse"));
    return null;
  }

  /** A client's `response.cancel`. */
  cancel(responseId: string | null | undefined): ProtocolError | null {
    const run = responseId ? this.#byId(responseId) : this.#active;
    return run?.cancel("client_cancelled") ? null : cancelNotActive;
  }

  /** The caller began to speak. */
  interrupt(): void {
    this.#active?.cancel("turn_detected");
  }

  close(): void {
    this.#active?.abandon();
    for (const run of this.#outOfBand.values()) run.abandon();
    this.#active = null;
    this.#outOfBand.clear();
  }

  #byId(id: string): ResponseRun | undefined {
    return this.#active?.id === id ? this.#active : this.#outOfBand.get(id);
  }

  #done(run: ResponseRun): void {
    if (this.#outOfBand.delete(run.id)) return;
    this.#active = null;
    this.#host.onDone(run.audioMs);
    const waiting = this.#waiting;
    this.#waiting = null;
    const error = waiting && this.create(waiting, {});
    if (error) this.#host.onRefused(error);
  }

  /** What the response reads: `input` when given, else the conversation. */
  #entries(params: ResponseParams): { readonly entries: Entry[] } | { readonly error: ProtocolError } {
    const { conversation } = this.#host.run;
    if (!params.input) return { entries: conversation.entries() };
    const entries: Entry[] = [];
    for (const [index, item] of params.input.entries()) {
      if (item.type !== "item_reference") {
        entries.push(makeEntry(item as Item, itemText(item)));
        continue;
      }
      const known = conversation.get(item.id);
      if (!known) {
        const text = `Item with id '${item.id}' not found.`;
        return { error: invalidRequest("invalid_value", text, `response.input[${index}].id`) };
      }
      entries.push(known);
    }
    return { entries };
  }

  #settings(trigger: PersonaTurn["trigger"], params: ResponseParams, entries: Entry[]): RunSettings {
    const config = this.#host.config();
    const voice = config.audio.output.voice;
    const instructions = params.instructions ?? config.instructions;
    return {
      outOfBand: params.conversation === "none",
      modality: (params.output_modalities ?? config.output_modalities)[0] ?? "audio",
      format: formatObject((params.audio?.output?.format ?? config.audio.output.format).type),
      voice: typeof voice === "string" ? voice : voice.id,
      maxTokens: params.max_output_tokens ?? config.max_output_tokens,
      metadata: params.metadata ?? null,
      input: inputTokens(instructions, entries),
      seen: this.#seen,
      reply: () => this.#reply(trigger, params, entries),
    };
  }

  #reply(trigger: PersonaTurn["trigger"], params: ResponseParams, entries: Entry[]): Reply {
    const config = this.#host.config();
    const choice = params.tool_choice ?? config.tool_choice;
    const tools: readonly FunctionTool[] = choice === "none" ? [] : (params.tools ?? config.tools);
    const news = newsOf(entries);
    const reply = this.#host.persona().reply({
      trigger,
      asked: params.instructions ?? null,
      standing: config.instructions,
      news,
      tools: new Set(tools.map((tool) => tool.name)),
      history: historyOf(entries),
      // What happens out of band is not remembered.
      memory: params.conversation === "none" ? new Map(this.#memory) : this.#memory,
    });
    const forced = forcedTool(choice, tools);
    const use = reply.use ?? (forced ? { name: forced.name, arguments: {} } : null);
    if (!use) return reply;
    const tool = (choice !== "required" && forced) || tools.find((t) => t.name === use.name);
    if (!tool) return { say: reply.say };
    const said = news?.kind === "heard" ? news.text : "";
    const args = tool.name === use.name ? use.arguments : {};
    return { say: reply.say, use: { name: tool.name, arguments: fitArguments(tool, args, said) } };
  }
}

/** The tool that must be called, whatever the persona thinks. */
function forcedTool(
  choice: SessionConfig["tool_choice"],
  tools: readonly FunctionTool[],
): FunctionTool | undefined {
  if (choice === "required") return tools[0];
  return typeof choice === "object" ? tools.find((tool) => tool.name === choice.name) : undefined;
}
