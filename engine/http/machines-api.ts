/** `/api/machines`: the charts of every version of the machines, for whoever shows a call on its own. */
import { z } from "zod";
import type { Charts } from "../charts/charts.ts";
import { DrawingError } from "../charts/drawer.ts";
import { issuesOf, json, problem } from "./json-answers.ts";

const Hash = z.string().regex(/^[0-9a-f]{64}$/);
const Query = z.strictObject({ theme: z.enum(["light", "dark"]).optional() });

/** Its style is all that a drawing brings along. */
const SVG_HEADERS = {
  "content-type": "image/svg+xml; charset=utf-8",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'",
  "x-content-type-options": "nosniff",
  "cache-control": "private, max-age=300",
};

export class MachinesApi {
  readonly #charts: Charts;

  constructor(charts: Charts) {
    this.#charts = charts;
  }

  async handle(url: URL): Promise<Response> {
    const [hash, file] = url.pathname.split("/").slice(3);
    if (hash === undefined) return await this.#versions();
    if (!Hash.safeParse(hash).success) return problem(400, "hash: must be 64 hexadecimal digits");
    return file === undefined ? await this.#definitions(hash) : await this.#drawing(hash, file, url);
  }

  async #versions(): Promise<Response> {
    return json({ current: this.#charts.current, versions: await this.#charts.versions() });
  }

  async #definitions(hash: string): Promise<Response> {
    const machines = await this.#charts.definitions(hash);
    return machines ? json({ hash, machines }) : unknown();
  }

  async #drawing(hash: string, file: string, url: URL): Promise<Response> {
    const name = /^([a-z][a-z-]*)\.svg$/.exec(file)?.[1];
    if (name === undefined) return unknown();
    const query = Query.safeParse(Object.fromEntries(url.searchParams));
    if (!query.success) return problem(400, issuesOf(query.error));
    try {
      const svg = await this.#charts.drawing(hash, name, query.data.theme);
      return svg === null ? unknown() : new Response(svg, { headers: SVG_HEADERS });
    } catch (error) {
      if (!(error instanceof DrawingError)) throw error;
      return error.busy ? problem(503, `${error.message}; try again`) : problem(500, error.message);
    }
  }
}

const unknown = (): Response => problem(404, "no charts are kept of that version of the machines");
