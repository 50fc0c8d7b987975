/** The push service of the sandbox: a hook for each name, `POST /sandbox/push/{name}`, and what came there. */
import { z } from "zod";
import { hold } from "./hold.ts";
import type { Core } from "./types.ts";

const pushSchema = z.looseObject({
  title: z.string().min(1),
  body: z.string().min(1),
  callSid: z.string(),
  urgency: z.enum(["low", "normal", "high", "emergency"]),
  ackUrl: z.url({ protocol: /^https?$/ }),
});

/** What the engine sends for one page. */
export type Push = z.output<typeof pushSchema>;

const NAME = /^[\w.+-]{1,64}$/;
const MAX_PUSHES = 100;
const MAX_NAMES = 1000;

/** The last 100 pushes of each name, of the 1000 names last written to; older ones are dropped and counted. */
export class Pushes {
  readonly #core: Core;
  readonly #byName = new Map<string, Push[]>();

  constructor(core: Core) {
    this.#core = core;
  }

  /** Oldest first. */
  of(name: string): readonly Push[] {
    return this.#byName.get(name) ?? [];
  }

  /** `GET` lists what came, `POST` takes a push; a fault may refuse or hold it, before or after it is kept. */
  async handle(request: Request, name: string): Promise<Response> {
    if (!NAME.test(name)) return Response.json({ error: "no such push hook" }, { status: 404 });
    if (request.method === "GET") return Response.json(this.of(name));
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { faults, timers, tally } = this.#core;
    const trouble = faults.takePush(request.method, new URL(request.url).pathname);
    const json: unknown = await request.json().catch(() => null);
    if (trouble?.phase !== "before") {
      const parsed = pushSchema.safeParse(json);
      if (!parsed.success) return Response.json({ error: z.prettifyError(parsed.error) }, { status: 400 });
      this.#keep(name, parsed.data);
    }
    if (!trouble) return new Response(null, { status: 204 });
    tally.add(`push.fault.${trouble.kind}`);
    if (trouble.kind === "status") return new Response("push refused", { status: trouble.status });
    await hold(timers, request.signal, trouble.holdMs);
    return new Response("no answer in time", { status: 504 });
  }

  #keep(name: string, push: Push): void {
    const { tally } = this.#core;
    const pushes = this.#byName.get(name) ?? [];
    pushes.push(push);
    tally.add("push.received");
    if (pushes.length > MAX_PUSHES) {
      pushes.shift();
      tally.add("push.dropped");
    }
    this.#byName.delete(name);
    this.#byName.set(name, pushes);
    for (const [oldest, dropped] of this.#byName) {
      if (this.#byName.size <= MAX_NAMES) break;
      this.#byName.delete(oldest);
      tally.add("push.dropped", dropped.length);
    }
  }
}
