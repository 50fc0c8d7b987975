/** Reading a log from a running engine. */
import { expect, test } from "bun:test";
import { linesOfCall } from "../../../engine/audit/source.ts";
import { systemClock } from "../../../engine/platform/clock.ts";

test("an engine that is asked too often is asked again", async () => {
  let asked = 0;
  const engine = Bun.serve({
    port: 0,
    fetch: () => new Response(++asked === 1 ? "too many" : "a\nb\n", { status: asked === 1 ? 429 : 200 }),
  });
  try {
    const address = { engineUrl: `http://127.0.0.1:${engine.port}`, token: undefined };
    expect(await Array.fromAsync(linesOfCall("CA1", address, systemClock))).toEqual(["a", "b"]);
    expect(asked).toBe(2);
  } finally {
    await engine.stop(true);
  }
});
