/** The API of calls on fake ports, asked as the server does: by the table of routes. */
import { Charts } from "../../../engine/charts/charts.ts";
import { Verifier } from "../../../engine/console/verifier.ts";
import { Views } from "../../../engine/console/views.ts";
import type { Who } from "../../../engine/console/who.ts";
import { Api, type ApiOptions } from "../../../engine/http/api.ts";
import { MachinesApi } from "../../../engine/http/machines-api.ts";
import { take } from "../../../engine/http/routes.ts";

export const OPERATOR: Who = { name: "ann", role: "operator", via: "api" };
export const ADMIN: Who = { name: "console", role: "admin", via: "api" };

type Page = "machines" | "views" | "verifier" | "about" | "sandbox";

export function apiOf(parts: Omit<ApiOptions, Page>): Api {
  const { store, clock, log } = parts;
  const machines = new MachinesApi(new Charts({ store, clock, log }));
  const page = { views: new Views(clock, log), verifier: new Verifier(clock), about: {}, sandbox: null };
  return new Api({ ...parts, machines, ...page });
}

export async function askApi(api: Api, path: string, who: Who, init?: RequestInit): Promise<Response> {
  const request = new Request(`http://localhost${path}`, init);
  const url = new URL(request.url);
  const route = take(request.method, url.pathname, who);
  return route instanceof Response ? route : await api.handle(route, request, url, who);
}
