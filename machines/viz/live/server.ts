/**
 * `bun run viz --serve`: a page for this computer alone that shows the machines as they are on disk and follows
 * them. Nothing on it comes from elsewhere.
 */
import { watch } from "node:fs";
import { extname, join, sep } from "node:path";
import { styleSheet } from "../theme.ts";
import { LiveMachines, type Drawings } from "./machines.ts";

export interface LiveServerOptions {
  /** 0: any free one. */
  readonly port: number;
  /** Watched for changes: where the machines are, and what draws them in `viz/`. */
  readonly folder: string;
  /** Path of a script like render.ts. */
  readonly script: string;
}

export interface LiveServer {
  readonly url: string;
  stop(): Promise<void>;
}

type Listener = ReadableStreamDefaultController<Uint8Array>;

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const LOOPBACK_HOST = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i;
const FILES: Readonly<Record<string, string>> = {
  "/": "page.html",
  "/page.js": "page.js",
  "/page.css": "page.css",
  "/view.js": "view.js",
};
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
};
/** Each is a page that is open; more are refused. */
const MAX_LISTENERS = 32;
/** A page that has read less than this is dropped; it asks again by itself. */
const MAX_UNREAD = 64;

/** @throws when the port is taken. */
export function serveLive({ port, folder, script }: LiveServerOptions): LiveServer {
  const listeners = new Set<Listener>();
  const machines = new LiveMachines({
    script,
    onChange: (drawings) => {
      for (const listener of listeners) {
        if ((listener.desiredSize ?? 0) > -MAX_UNREAD) tell(listener, drawings);
        else drop(listeners, listener);
      }
    },
  });
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port,
    // A page listens for as long as it is open.
    idleTimeout: 0,
    fetch: (request) => {
      // A web page elsewhere could reach this computer through a name of its own.
      if (!LOOPBACK_HOST.test(request.headers.get("host") ?? "")) return plain("only this computer\n", 403);
      if (request.method !== "GET") return plain("only GET\n", 405);
      const { pathname } = new URL(request.url);
      if (pathname === "/events") return events(listeners, machines.drawings);
      if (pathname === "/machines") return Response.json(machines.drawings.machines, { headers: SAFE });
      return asset(pathname) ?? plain("there is nothing here\n", 404);
    },
  });
  const watcher = watch(folder, { recursive: true }, (_, file) => {
    if (file?.endsWith(".ts")) void machines.refresh(file.startsWith(`viz${sep}`));
  });
  void machines.refresh(true);
  return {
    url: `http://127.0.0.1:${server.port}/`,
    stop: async () => {
      watcher.close();
      machines.stop();
      await server.stop(true);
    },
  };
}

const SAFE = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
};

const plain = (text: string, status: number): Response =>
  new Response(text, { status, headers: { ...SAFE, "content-type": "text/plain; charset=utf-8" } });

function asset(path: string): Response | null {
  const theme = /^\/chart-(light|dark)\.css$/.exec(path)?.[1] as "light" | "dark" | undefined;
  const file = Object.hasOwn(FILES, path) ? FILES[path] : undefined;
  if (theme === undefined && file === undefined) return null;
  const type = TYPES[extname(file ?? path)] ?? "";
  const body = file === undefined ? styleSheet(theme) : Bun.file(join(import.meta.dir, file));
  return new Response(body, { headers: { ...SAFE, "content-type": type } });
}

/** Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): how the drawings stand. */
function events(listeners: Set<Listener>, drawings: Drawings): Response {
  if (listeners.size >= MAX_LISTENERS) return plain("too many pages are open\n", 503);
  let own: Listener;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      own = controller;
      listeners.add(controller);
      tell(controller, drawings);
    },
    cancel: () => void listeners.delete(own),
  });
  return new Response(body, { headers: { ...SAFE, "content-type": "text/event-stream" } });
}

function drop(listeners: Set<Listener>, listener: Listener): void {
  listeners.delete(listener);
  listener.close();
}

function tell(listener: Listener, { revision, busy, problem }: Drawings): void {
  const text = `data: ${JSON.stringify({ revision, busy, problem })}\n\n`;
  listener.enqueue(new TextEncoder().encode(text));
}
