/** What the API answers where a whole engine is hard to bring to: a store that fails, bodies, methods. */
import { describe, expect, test } from "bun:test";
import { present } from "../../../engine/call/row.ts";
import type { AuditEntry, CallRow } from "../../../engine/ports.ts";
import { CALLER, beginCall, makeCalls, streaming } from "../call/calls-setup.ts";
import { inVain, LADDER, row } from "../call/ladder-setup.ts";
import { CALL_SID, settle } from "../call/support.ts";
import { speech } from "../media/leg-setup.ts";
import { callRow } from "../../contract/store.contract.ts";
import { apiOf, askApi, OPERATOR } from "./api-setup.ts";

const NODE = "https://a.example.com";
const OTHER_SID = "CA00000000000000000000000000000002";

function makeApi(options: Parameters<typeof makeCalls>[0] = {}) {
  const calls = makeCalls(options);
  const api = apiOf({ ...calls, node: NODE });
  const ask = (path: string, init?: RequestInit, who = OPERATOR): Promise<Response> =>
    askApi(api, path, who, init);
  const command = (body: unknown): Promise<Response> =>
    ask(`/api/calls/${CALL_SID}/commands`, { method: "POST", body: JSON.stringify(body) });
  return { ...calls, ask, command };
}

describe("the API", () => {
  test("shows a row with its protected fields beside the others, and is never cached", async () => {
    const calls = makeApi();
    beginCall(calls);
    const answer = await calls.ask(`/api/calls/${CALL_SID}`);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const row = (await answer.json()) as Record<string, unknown>;
    expect(row).toMatchObject({ callSid: CALL_SID, from: CALLER, transcript: [], escalationReason: null });
    expect(row).not.toHaveProperty("protected");
    expect(row).toEqual(present(calls.store.rows.get(CALL_SID) as CallRow) as never);
  });

  test("shows a live call as it is now, and not as it was last saved", async () => {
    const calls = makeApi();
    await streaming(calls);
    const saved = calls.store.rows.get(CALL_SID) as CallRow;
    calls.store.rows.set(CALL_SID, { ...saved, state: "arriving" });
    const [listed] = (await (await calls.ask("/api/calls")).json()) as [{ state: string }];
    expect(listed.state).toBe("streaming");
    expect(await (await calls.ask(`/api/calls/${CALL_SID}`)).json()).toMatchObject({ state: "streaming" });
  });

  test("lists the newest first, as many as were asked for, and those before one", async () => {
    const calls = makeApi();
    for (const callSid of [CALL_SID, OTHER_SID]) beginCall(calls, callSid);
    const list = async (query: string) =>
      ((await (await calls.ask(`/api/calls${query}`)).json()) as { callSid: string }[]).map(
        (row) => row.callSid,
      );
    expect(await list("")).toEqual([OTHER_SID, CALL_SID]);
    expect(await list("?limit=1")).toEqual([OTHER_SID]);
    expect(await list(`?before=${OTHER_SID}`)).toEqual([CALL_SID]);
    expect(await list("?state=ended")).toEqual([]);
  });

  test("says which engine has a call, when it is told to do something with another's", async () => {
    const calls = makeApi();
    const told = async (change: Partial<CallRow>) => {
      calls.store.saveCall(callRow(1, { callSid: CALL_SID, ...change }));
      const answer = await calls.command({ command: "hangup" });
      return [answer.status, ((await answer.json()) as { error: string }).error];
    };
    expect(await told({ state: "streaming", endedAt: null, node: "https://b.example.com" })).toEqual([
      409,
      "the call is with the engine at https://b.example.com, or was when that died; fix: give the command there",
    ]);
    // Its own it would have, or has just closed; and what is over is over everywhere.
    const nobody = [404, "there is no such live call"];
    expect(await told({ state: "streaming", endedAt: null, node: NODE })).toEqual(nobody);
    expect(await told({ node: "https://b.example.com" })).toEqual(nobody);
  });

  test("says that the store did not answer, and neither why nor what it was about", async () => {
    const { ask, store, lines } = makeApi();
    store.listCalls = () => Promise.reject(new Error("disk on fire"));
    const answer = await ask("/api/calls");
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({ error: "the store did not answer; try again" });
    const failures = lines.filter(({ level }) => level === "error");
    expect(failures).toMatchObject([{ event: "api.failed", error: "disk on fire" }]);
  });

  test("serves a log that is kept for longer than its row", async () => {
    const { ask, store } = makeApi();
    const path = `/api/calls/${CALL_SID}/events`;
    expect((await ask(path)).status).toBe(404);
    const content = { callSid: CALL_SID, seq: 1, at: "", kind: "note", name: "n", data: {} } as const;
    store.appendEvents([{ ...content, prev: "p", hash: "h" }]);
    const answer = await ask(path);
    expect([answer.status, JSON.parse(await answer.text())]).toEqual([
      200,
      { ...content, prev: "p", hash: "h" },
    ]);
  });

  test("streams a log line by line, and stops reading when nobody reads on", async () => {
    const calls = makeApi();
    beginCall(calls);
    let read = 0;
    let ended = false;
    calls.store.events = async function* events(callSid: string) {
      try {
        for (let seq = 1; seq <= 10_000; seq++) {
          read = seq;
          const content = { callSid, seq, at: "", kind: "note", name: "n", data: {} } as const;
          yield { ...content, prev: "p", hash: "h" } satisfies AuditEntry;
        }
      } finally {
        ended = true;
      }
    };
    const answer = await calls.ask(`/api/calls/${CALL_SID}/events`);
    expect(answer.headers.get("content-type")).toBe("application/x-ndjson");
    const reader = answer.body?.getReader();
    const first = await reader?.read();
    expect(JSON.parse(new TextDecoder().decode(first?.value as Uint8Array))).toMatchObject({
      seq: 1,
      prev: "p",
      hash: "h",
    });
    await reader?.cancel();
    expect(ended).toBe(true);
    expect(read).toBeLessThan(10);
  });

  test("serves the coach's track piece by piece, and says when there is none", async () => {
    const calls = makeApi();
    const path = `/api/calls/${CALL_SID}/recordings/coach.wav`;
    const none = await calls.ask(path);
    expect([none.status, await none.json()]).toEqual([404, { error: "there is no such recording" }]);
    const audio = speech(1000);
    await calls.recordings.save(CALL_SID, "coach", { bytes: 1000, pieces: () => [audio] });
    const answer = await calls.ask(path);
    expect(answer.status).toBe(200);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "content-type": "audio/wav",
      "content-length": "1000",
      "cache-control": "no-store",
    });
    expect(await answer.bytes()).toEqual(audio);
    expect((await calls.ask("/api/calls/CA1/recordings/coach.wav")).status).toBe(400);
  });

  test("serves the track of each leg", async () => {
    const calls = makeApi();
    for (const track of ["caller", "human-3", "human-3.2"] as const) {
      await calls.recordings.save(CALL_SID, track, {
        bytes: 5,
        pieces: () => [new TextEncoder().encode(track.slice(-5))],
      });
      const answer = await calls.ask(`/api/calls/${CALL_SID}/recordings/${track}.wav`);
      expect(answer.headers.get("content-disposition")).toBe(
        `attachment; filename="${CALL_SID}-${track}.wav"`,
      );
      expect(await answer.text()).toBe(track.slice(-5));
    }
  });

  test("serves a part of a track, as a browser asks for it that seeks in it", async () => {
    const calls = makeApi();
    const audio = speech(1000);
    await calls.recordings.save(CALL_SID, "coach", { bytes: 1000, pieces: () => [audio] });
    const part = async (range: string) => {
      const headers = { range };
      const answer = await calls.ask(`/api/calls/${CALL_SID}/recordings/coach.wav`, { headers });
      return { status: answer.status, of: answer.headers.get("content-range"), bytes: await answer.bytes() };
    };
    const slice = (from: number, to: number) => ({
      status: 206,
      of: `bytes ${from}-${to - 1}/1000`,
      bytes: audio.slice(from, to),
    });
    expect(await part("bytes=0-")).toEqual(slice(0, 1000));
    expect(await part("bytes=490-509")).toEqual(slice(490, 510));
    expect(await part("bytes=700-5000")).toEqual(slice(700, 1000));
    expect(await part("bytes=-10")).toEqual(slice(990, 1000));
    expect(await part("bytes=-5000")).toEqual(slice(0, 1000));
    for (const range of ["bytes=1000-", "bytes=-0"]) {
      expect(await part(range)).toMatchObject({ status: 416, of: "bytes */1000" });
    }
    for (const range of ["bytes=9-3", "bytes=0-1,5-6", "seconds=1-", "bytes=a-"]) {
      expect(await part(range)).toEqual({ status: 200, of: null, bytes: audio });
    }
  });

  test("names the method that a path takes", async () => {
    const { ask } = makeApi();
    const allowed = async (path: string, method: string) => {
      const answer = await ask(path, { method });
      return [answer.status, answer.headers.get("allow")];
    };
    expect(await allowed("/api/calls", "POST")).toEqual([405, "GET"]);
    expect(await allowed(`/api/calls/${CALL_SID}`, "DELETE")).toEqual([405, "GET"]);
    expect(await allowed(`/api/calls/${CALL_SID}/events`, "POST")).toEqual([405, "GET"]);
    expect(await allowed(`/api/calls/${CALL_SID}/commands`, "GET")).toEqual([405, "POST"]);
    expect(await allowed(`/api/calls/${CALL_SID}/recordings/coach.wav`, "DELETE")).toEqual([405, "GET"]);
  });

  test("has nothing under any other path", async () => {
    const { ask } = makeApi();
    const call = `/api/calls/${CALL_SID}`;
    for (const path of ["/api/other", "/api/sandbox", `${call}/other`, `${call}/recordings/other.wav`])
      expect((await ask(path)).status).toBe(404);
    expect((await ask(`${call}/recordings/human-1/x.wav`)).status).toBe(404);
  });
});

describe("a command", () => {
  test("takes effect, and is answered before it is done", async () => {
    const calls = makeApi();
    const { session } = await streaming(calls);
    const answer = await calls.command({ command: "escalate", to: "+15550100", reason: " pain " });
    expect(answer.status).toBe(202);
    expect(await answer.json()).toEqual({ accepted: true, state: "escalating" });
    expect(session.row().protected.escalationReason).toBe("pain");
    expect(JSON.stringify(calls.lines)).not.toContain("pain");
  });

  test("that is not possible now, or for a call that is not live, changes nothing", async () => {
    const calls = makeApi();
    expect((await calls.command({ command: "hangup" })).status).toBe(404);
    const { session } = await streaming(calls);
    const events = session.row().metrics["events"];
    const answer = await calls.command({ command: "remove" });
    expect([answer.status, await answer.json()]).toEqual([
      409,
      {
        error:
          "remove is not possible while the call is streaming: it needs a person in the room, and the AI with them",
      },
    ]);
    expect(session.row().metrics["events"]).toBe(events ?? -1);
  });

  test("that mutes names the caller or a person in the room, and its name is told of who gave it", async () => {
    const calls = makeApi();
    const { session } = await streaming(calls);
    const next = async (): Promise<Record<string, unknown>> =>
      (await (await calls.ask(`/api/calls/${CALL_SID}/next`)).json()) as Record<string, unknown>;
    expect(await next()).toMatchObject({ participants: { mute: ["caller"], unmute: [] } });
    expect((await next())["commands"]).not.toContain("unmute");
    for (const [command, status] of [
      [{ command: "mute" }, 400],
      [{ command: "mute", label: "ai-1" }, 409],
      [{ command: "mute", label: "human-1" }, 409],
      [{ command: "unmute", label: "caller" }, 409],
      [{ command: "mute", label: "caller" }, 202],
    ] as const)
      expect((await calls.command(command)).status).toBe(status);
    await settle();
    expect(session.standing.context.legs["caller"]?.muted).toBe(true);
    expect(await next()).toMatchObject({ participants: { mute: [], unmute: ["caller"] } });
    const log = calls.store.logs.get(CALL_SID) ?? [];
    const at = log.findIndex(({ name }) => name === "operator.command");
    expect(log.slice(at, at + 2)).toMatchObject([
      { data: { command: "mute", by: "ann", role: "operator", via: "api" } },
      { kind: "event", name: "op.mute", data: { label: "caller" } },
    ]);
  });

  test("hangup calls off what goes on when the caller has left, and no other command reaches it", async () => {
    const calls = makeApi({ deployment: LADDER });
    const { session } = await inVain(calls);
    session.deliver({ type: "caller.gone", reason: "dial_ended" });
    await settle();
    expect(calls.followUps.size).toBe(1);
    expect((await calls.command({ command: "escalate" })).status).toBe(409);
    const answer = await calls.command({ command: "hangup" });
    expect([answer.status, await answer.json()]).toEqual([202, { accepted: true, state: "ended" }]);
    expect(calls.followUps.size).toBe(0);
    expect(row(calls)?.escalation).toMatchObject({ number: 2, outcome: "called_off" });
    expect((await calls.command({ command: "hangup" })).status).toBe(404);
  });

  test("with a field too many, or too large a body, is refused", async () => {
    const calls = makeApi();
    await streaming(calls);
    expect((await calls.command({ command: "coach", to: "+15550100" })).status).toBe(400);
    expect((await calls.command({ command: "hangup", reason: "x".repeat(20_000) })).status).toBe(413);
    expect((await calls.command({ command: "escalate", urgency: "now" })).status).toBe(400);
  });
});
