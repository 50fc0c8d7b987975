/** What a caller hears who waits for somebody. */
import { expect, test } from "bun:test";
import { talking, WANTED } from "./script.ts";

test("a caller is told again and again that people are being called while nobody speaks", () => {
  const call = talking()
    .happens(WANTED)
    .ladder({ nextAtMs: 1 })
    .happens({ type: "media.quiet" })
    .ladder({ phase: "ringing" });
  call.happens({ type: "media.quiet" });
  expect(call.notices).toEqual(["calling_human", "still_waiting", "still_waiting"]);
  call.ladder({ phase: "exhausted" }).happens({ type: "media.quiet" });
  expect(call.notices.at(-1)).toBe("nobody_reached");
});
