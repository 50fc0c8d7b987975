import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import type { Clock } from "../../../engine/ports.ts";

export interface SeenRequest {
  readonly method: string;
  /** Path as sent, escapes and all. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly form: readonly (readonly [string, string])[];
  readonly authorization: string;
}

/** `cut` breaks the connection off; `trickle` begins an answer and never ends it. */
export type Reply = Response | "cut" | "trickle";
export type Answer = (request: SeenRequest) => Reply | Promise<Reply>;

export interface FakeTwilio {
  readonly baseUrl: string;
  readonly seen: SeenRequest[];
  /** Answers of the next requests, in order. After them `otherwise` answers. */
  script(...answers: Answer[]): void;
  otherwise: Answer;
  /** Resolves when `count` requests have arrived. */
  arrived(count: number): Promise<void>;
  stop(): Promise<void>;
}

/** A scripted HTTP server in the place of Twilio's REST API. */
export async function startFakeTwilio(): Promise<FakeTwilio> {
  const queue: Answer[] = [];
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  const seen: SeenRequest[] = [];
  // Not Bun.serve: only this one can cut a connection, and it says so when it closes one.
  const server = createServer((request, response) => {
    void (async () => {
      const url = new URL(request.url ?? "/", "http://fake");
      let body = "";
      for await (const chunk of request) body += String(chunk);
      const entry: SeenRequest = {
        method: request.method ?? "",
        path: url.pathname,
        query: url.searchParams,
        form: [...new URLSearchParams(body)],
        authorization: request.headers.authorization ?? "",
      };
      seen.push(entry);
      for (const each of waiting) if (seen.length >= each.count) each.resolve();
      const answer = await (queue.shift() ?? fake.otherwise)(entry);
      if (answer === "cut") return void request.socket.destroy();
      const trickles = answer === "trickle";
      response.writeHead(trickles ? 200 : answer.status, trickles ? {} : Object.fromEntries(answer.headers));
      if (trickles) return void response.write("{");
      response.end(await answer.text());
    })();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const fake: FakeTwilio = {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    script: (...answers) => void queue.push(...answers),
    otherwise: () => apiError(500, 20500, "nothing scripted"),
    arrived: (count) =>
      new Promise((resolve) => {
        if (seen.length >= count) resolve();
        else waiting.push({ count, resolve });
      }),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return fake;
}

export function apiError(
  status: number,
  code: number,
  message: string,
  headers?: Record<string, string>,
): Response {
  const body = { code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status };
  return Response.json(body, { status, headers: headers ?? {} });
}

export const CA = `CA${"1".repeat(32)}`;
export const CA2 = `CA${"2".repeat(32)}`;
export const CF = `CF${"3".repeat(32)}`;
export const AC = `AC${"4".repeat(32)}`;

export function participantJson(over: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    account_sid: AC,
    call_sid: CA,
    label: "ai",
    conference_sid: CF,
    date_created: "Fri, 18 Feb 2011 21:07:19 +0000",
    date_updated: "Fri, 18 Feb 2011 21:07:19 +0000",
    end_conference_on_exit: false,
    muted: false,
    hold: false,
    status: "queued",
    start_conference_on_enter: true,
    coaching: false,
    call_sid_to_coach: null,
    queue_time: "1000",
    uri: `/2010-04-01/Accounts/${AC}/Conferences/${CF}/Participants/${CA}.json`,
    ...over,
  };
}

export function conferencesJson(...conferences: Record<string, unknown>[]): Record<string, unknown> {
  const uri = `/2010-04-01/Accounts/${AC}/Conferences.json?Page=0&PageSize=20`;
  const pages = { end: 0, first_page_uri: uri, next_page_uri: null, page: 0, page_size: 20 };
  return { conferences, ...pages, previous_page_uri: null, start: 0, uri };
}

export function conferenceJson(friendlyName: string, status = "in-progress"): Record<string, unknown> {
  return { sid: CF, account_sid: AC, friendly_name: friendlyName, status, region: "us1" };
}

/** Waits of a minute and more never end; shorter ones end at once and are noted. */
export function hurriedClock(): Clock & { readonly delays: number[] } {
  const virtual = new VirtualClock();
  const delays: number[] = [];
  return {
    delays,
    now: () => virtual.now(),
    monotonicMs: () => virtual.monotonicMs(),
    setTimeout(fn, delayMs) {
      if (delayMs >= 60_000) return null;
      delays.push(delayMs);
      return setImmediate(() => {
        virtual.advance(delayMs);
        fn();
      });
    },
    clearTimeout: (handle) => clearImmediate(handle as Timer),
  };
}
