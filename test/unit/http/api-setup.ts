/** Asks the API as the server does: by the table of routes. */
import type { Who } from "../../../engine/console/who.ts";
import type { Api } from "../../../engine/http/api.ts";
import { take } from "../../../engine/http/routes.ts";

export const OPERATOR: Who = { name: "ann", role: "operator", via: "api" };
export const ADMIN: Who = { name: "console", role: "admin", via: "api" };

export async function askApi(api: Api, path: string, who: Who, init?: RequestInit): Promise<Response> {
  const request = new Request(`http://localhost${path}`, init);
  const url = new URL(request.url);
  const route = take(request.method, url.pathname, who);
  return route instanceof Response ? route : await api.handle(route, request, url, who);
}
