/**
 * The browser phones: `/phones` and what is below it, on the sandbox carrier's own server. There is none of it
 * outside the sandbox, and the server answers this machine alone.
 */
import { z } from "zod";
import { errorText } from "../../../engine/errors.ts";
import type { Log } from "../../../engine/ports.ts";
import { LOOPBACK_NAMES } from "../loopback.ts";
import type { Speech } from "../types.ts";
import type { OnCallPerson, PhonesFacts } from "./facts.ts";

/** What the engine tells of itself once its own address is known. */
export interface PhonesSetting {
  /** Where ack links lead. */
  readonly origin: string;
  readonly people: readonly {
    readonly rung: string;
    readonly name: string;
    readonly number: string;
    /** The contact's push URL. */
    readonly push: string | null;
  }[];
  readonly understandsSpeech: boolean;
  readonly consoleUrl: string;
}

const PAGES: ReadonlySet<string> = new Set(["/phones", "/phones/caller", "/phones/on-call"]);
const ENTRIES = [
  new URL("./page/main.ts", import.meta.url).pathname,
  new URL("./worklet/voice-worklet.ts", import.meta.url).pathname,
];
const FILES: Readonly<Record<string, { readonly file: string; readonly type: string }>> = {
  "/phones/phones.css": { file: "./page/phones.css", type: "text/css; charset=utf-8" },
  "/phones/icon.svg": { file: "./page/icon.svg", type: "image/svg+xml" },
};
const SCRIPT_TYPE = "text/javascript; charset=utf-8";
const PUSH_PATH = /^\/sandbox\/push\/([\w.+-]{1,64})$/;
const sayRequest = z.strictObject({ text: z.string().trim().min(1).max(500) });

export class PhonePages {
  readonly #speech: Speech;
  readonly #log: Log;
  readonly #number: () => string | null;
  #setting: PhonesSetting | null = null;
  #scripts: Promise<ReadonlyMap<string, Blob>> | null = null;

  /** `number` is the one that callers dial. */
  constructor(options: { readonly speech: Speech; readonly log: Log; readonly number: () => string | null }) {
    this.#speech = options.speech;
    this.#log = options.log;
    this.#number = options.number;
  }

  set(setting: PhonesSetting): void {
    this.#setting = setting;
  }

  /** `null` when the path is none of ours. `carrierOrigin` is this server's. */
  async handle(request: Request, path: string, carrierOrigin: string): Promise<Response | null> {
    if (path !== "/phones" && !path.startsWith("/phones/")) return null;
    if (path === "/phones/say") return await this.#say(request);
    if (request.method !== "GET") return new Response(null, { status: 405, headers: { allow: "GET" } });
    if (path === "/phones/facts") return Response.json(this.#facts(carrierOrigin), { headers: NO_STORE });
    const file = PAGES.has(path) ? { file: "./page/phones.html", type: HTML_TYPE } : FILES[path];
    if (file) return this.#answer(Bun.file(new URL(file.file, import.meta.url)), file.type);
    return await this.#script(path.slice("/phones/".length));
  }

  #facts(carrierOrigin: string): PhonesFacts {
    const setting = this.#setting;
    return {
      number: this.#number(),
      people: (setting?.people ?? []).map((person) => withPushName(person, carrierOrigin)),
      understandsSpeech: setting?.understandsSpeech ?? true,
      consoleUrl: setting?.consoleUrl ?? null,
    };
  }

  /** Speech for whoever types instead of talking: μ-law at 8 kHz, no header. */
  async #say(request: Request): Promise<Response> {
    if (request.method !== "POST") return new Response(null, { status: 405, headers: { allow: "POST" } });
    const parsed = sayRequest.safeParse(await request.json().catch(() => null));
    if (!parsed.success) return problem(400, 'say: give {"text": …}, 1 to 500 characters');
    try {
      const ulaw = await this.#speech.say(parsed.data.text);
      return new Response(new Uint8Array(ulaw), { headers: { ...NO_STORE, "content-type": "audio/basic" } });
    } catch (error) {
      return problem(503, `say: ${errorText(error)}`);
    }
  }

  async #script(name: string): Promise<Response> {
    try {
      this.#scripts ??= bundle();
      const script = (await this.#scripts).get(name);
      return script ? this.#answer(script, SCRIPT_TYPE) : problem(404, "there is nothing here");
    } catch (error) {
      this.#scripts = null;
      this.#log.error("sandbox.phones.bundle_failed", { error: errorText(error) });
      return problem(500, "the phones' page could not be put together; the log says why");
    }
  }

  #answer(body: Blob, type: string): Response {
    return new Response(body, {
      headers: {
        "content-type": type,
        "content-security-policy": policy(this.#setting?.origin ?? null),
        "permissions-policy": "microphone=(self)",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "cache-control": "no-cache",
      },
    });
  }
}

const HTML_TYPE = "text/html; charset=utf-8";
const NO_STORE = { "cache-control": "no-store" };

/** Everything from here, nothing from elsewhere; the buttons of an ack link send their form to the engine. */
function policy(engineOrigin: string | null): string {
  const forms = engineOrigin ?? "'none'";
  return `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action ${forms}; base-uri 'none'; frame-ancestors 'none'`;
}

/** Page and worklet, from their sources, by the names of their entries. */
async function bundle(): Promise<ReadonlyMap<string, Blob>> {
  const built = await Bun.build({
    entrypoints: ENTRIES,
    target: "browser",
    minify: true,
    define: { "process.env.NODE_ENV": '"production"' },
  });
  return new Map(built.outputs.map((output) => [output.path.replace(/^.*\//, ""), output]));
}

/** A push reaches a handset only when its hook is at this carrier. */
function withPushName(
  { push, ...person }: PhonesSetting["people"][number],
  carrierOrigin: string,
): OnCallPerson {
  if (push === null || !URL.canParse(push)) return { ...person, pushName: null };
  const url = new URL(push);
  const here = LOOPBACK_NAMES.has(url.hostname) && url.port === new URL(carrierOrigin).port;
  return { ...person, pushName: (here ? PUSH_PATH.exec(url.pathname)?.[1] : null) ?? null };
}

function problem(status: number, error: string): Response {
  return Response.json({ error }, { status });
}
