/** An admin's erasure over HTTP, on a database and recordings on disk. */
import { afterEach, describe, expect, test } from "bun:test";
import { CALL_ERASED } from "../../../engine/audit/chain.ts";
import { makeCalls } from "../call/calls-setup.ts";
import { CALLER, keepCall, newFolder, openKept, removeFolders, sidOf } from "../privacy/kept.ts";
import { ADMIN, apiOf, askApi } from "./api-setup.ts";

afterEach(removeFolders);

async function setUp() {
  const kept = await openKept(newFolder());
  const { supervisor, followUps, lines, log } = makeCalls();
  const { store, recordings, clock } = kept;
  const parts = { supervisor, followUps, store, recordings, clock, log };
  const erase = (callSid: string, privacy = true): Promise<Response> => {
    const api = apiOf({ ...parts, ...(privacy && { privacy: { store: kept.privacy, recordings } }) });
    return askApi(api, `/api/calls/${callSid}/erase`, ADMIN, { method: "POST" });
  };
  return { kept, lines, erase };
}

describe("erasing a call by the API", () => {
  test("destroys what names its caller, keeps the row and the log, and says who did it", async () => {
    const { kept, lines, erase } = await setUp();
    keepCall(kept, 1);
    await kept.store.durable();
    expect((await kept.store.getCall(sidOf(1)))?.protected.from).toBe(CALLER);
    const answer = await erase(sidOf(1));
    expect([answer.status, await answer.json()]).toEqual([
      200,
      { callSid: sidOf(1), outcome: "erased", recordings: 0, scrubbed: true },
    ]);
    expect((await kept.store.getCall(sidOf(1)))?.protected.from).not.toBe(CALLER);
    expect((await kept.store.lastEvent(sidOf(1)))?.name).toBe(CALL_ERASED);
    expect(lines.filter(({ event }) => event === "call.erased")).toMatchObject([
      { callSid: sidOf(1), by: "console", role: "admin", via: "api" },
    ]);
    await kept.store.close();
  });

  test("is refused while the call lives, for a call that is not known, and where nothing is kept", async () => {
    const { kept, lines, erase } = await setUp();
    keepCall(kept, 1, { state: "streaming", endedAt: null });
    await kept.store.durable();
    expect((await erase(sidOf(1))).status).toBe(409);
    expect((await erase(sidOf(2))).status).toBe(404);
    expect((await erase("CA1")).status).toBe(400);
    expect((await erase(sidOf(1), false)).status).toBe(501);
    expect((await kept.store.getCall(sidOf(1)))?.protected.from).toBe(CALLER);
    expect(lines.filter(({ event }) => event === "call.erased")).toEqual([]);
    await kept.store.close();
  });
});
