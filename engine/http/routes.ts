/** Every path of `/api`, and the role that it takes: what is not in this table is not answered. */
import { may, type Role, type Who } from "../console/who.ts";
import { notAllowed, problem } from "./json-answers.ts";

interface Route {
  readonly method: "GET" | "POST";
  /** `{…}` stands for one part. */
  readonly path: string;
  /** That role, or one above it. */
  readonly needs: Role;
}

export const ROUTES = {
  session: { method: "GET", path: "/api/session", needs: "viewer" },
  /** Has the numbers of people on call. */
  sandbox: { method: "GET", path: "/api/sandbox", needs: "operator" },
  /** WebSockets; a viewer is told neither numbers nor words. */
  feed: { method: "GET", path: "/api/feed", needs: "viewer" },
  switchboard: { method: "GET", path: "/api/switchboard", needs: "viewer" },
  machines: { method: "GET", path: "/api/machines", needs: "viewer" },
  machinesOf: { method: "GET", path: "/api/machines/{hash}", needs: "viewer" },
  drawing: { method: "GET", path: "/api/machines/{hash}/{machine}.svg", needs: "viewer" },
  /** Rows; of a viewer's they are redacted. */
  list: { method: "GET", path: "/api/calls", needs: "viewer" },
  row: { method: "GET", path: "/api/calls/{callSid}", needs: "viewer" },
  /** Logs have neither numbers nor words. */
  log: { method: "GET", path: "/api/calls/{callSid}/events", needs: "viewer" },
  logAfter: { method: "GET", path: "/api/calls/{callSid}/postcall/events", needs: "viewer" },
  next: { method: "GET", path: "/api/calls/{callSid}/next", needs: "viewer" },
  verify: { method: "GET", path: "/api/calls/{callSid}/verify", needs: "viewer" },
  track: { method: "GET", path: "/api/calls/{callSid}/recordings/{track}.wav", needs: "operator" },
  command: { method: "POST", path: "/api/calls/{callSid}/commands", needs: "operator" },
  erase: { method: "POST", path: "/api/calls/{callSid}/erase", needs: "admin" },
  export: { method: "GET", path: "/api/export", needs: "admin" },
} as const satisfies Readonly<Record<string, Route>>;

export type RouteName = keyof typeof ROUTES;

const PATTERNS = (Object.entries(ROUTES) as [RouteName, Route][]).map(([name, route]) => ({
  name,
  ...route,
  pattern: new RegExp(`^${route.path.replaceAll(".", "\\.").replace(/\{\w+\}/g, "([^/]+)")}$`),
}));

/** A route that somebody may take; `first` and `second`: what stands for the first `{…}` of its path, and the next. */
export interface Taken {
  readonly name: RouteName;
  readonly first: string;
  readonly second: string;
}

/** The one place that decides which role may ask for what. A refusal tells the role that it takes. */
export function take(method: string, pathname: string, who: Who): Taken | Response {
  for (const { name, method: only, needs, pattern } of PATTERNS) {
    const match = pattern.exec(pathname);
    if (!match) continue;
    if (!may(who, needs)) return problem(403, `this takes the role ${needs}, and the token's is ${who.role}`);
    return method === only ? { name, first: match[1] ?? "", second: match[2] ?? "" } : notAllowed(only);
  }
  return problem(404, "there is nothing here");
}
