/** The caller's hold while a human consults: begun and ended by request, and never for ever. */
import { describe, expect, test } from "bun:test";
import { INPUT } from "./driver.ts";
import { coached, coaching, released, type Script, talking, WANTED } from "./script.ts";

const paged = (): Script => talking().happens(WANTED);

describe("a caller on hold", () => {
  const consulting = (input = INPUT): Script =>
    talking(input)
      .happens(WANTED)
      .accepts("human-1", { consult: true })
      .answer("carrier.hold")
      .joins("human-1")
      .ladder({ phase: "owned" });

  test("waits from the moment at which the owner who wants that has accepted", () => {
    const call = paged().accepts("human-1", { consult: true });
    expect(call.inputs("carrier.hold")).toEqual([{ label: "caller", hold: true }]);
    expect(call.notices).not.toContain("human_coming");
    call.answer("carrier.hold").joins("human-1");
    expect(call.caller).toBe("consulting");
  });

  test("is back when the human says so, or after a minute", () => {
    for (const event of [{ type: "op.resume" }, { type: "deadline", name: "consult" }] as const) {
      const call = coached(consulting()).happens(event);
      expect(call.caller).toBe("resuming");
      expect(call.inputs("carrier.hold").at(-1)).toEqual({ label: "caller", hold: false });
      expect(call.answer("carrier.hold").caller).toBe("together");
      expect(call.whisper).toBe("active");
    }
  });

  test("is put there by an operator, too", () => {
    const call = coaching().happens({ type: "op.hold" });
    expect(call.caller).toBe("holding");
    expect(call.answer("carrier.hold").caller).toBe("consulting");
  });

  test("is taken back when the human leaves, before the AI speaks to them", () => {
    const call = coached(consulting()).leaves("human-1");
    released(call);
    expect(call.whisper).toEqual({ releasing: "unmuting" });
    expect(call.answer("carrier.hold").value).toEqual({ streaming: "live" });
  });

  test("is taken back when the owner does not come, and when the AI is taken out or cannot coach", () => {
    const ends = [
      paged().accepts("human-1", { consult: true }).answer("carrier.hold").leaves("human-1"),
      consulting().happens({ type: "op.remove" }),
      consulting().answer("carrier.mute").answer("carrier.coach", "failed"),
    ];
    for (const call of ends) {
      expect(call.inputs("carrier.hold").at(-1)).toEqual({ label: "caller", hold: false });
      expect(call.answer("carrier.hold").snapshot.context.unholdOwed).toBe(false);
    }
  });

  test("goes on with the others when the hold fails, which may have taken effect all the same", () => {
    const call = coaching().happens({ type: "op.hold" }).answer("carrier.hold", "failed");
    expect(call.caller).toBe("resuming");
    expect(call.inputs("carrier.hold").at(-1)).toEqual({ label: "caller", hold: false });
    expect(call.answer("carrier.hold").caller).toBe("together");
  });

  test("is asked back a few times, then an error is noted, and once more now and then", () => {
    const call = coaching()
      .happens({ type: "op.hold" })
      .answer("carrier.hold")
      .happens({ type: "op.resume" });
    for (let tries = 0; tries < 5; tries++) call.answer("carrier.hold", "failed");
    expect(call.caller).toBe("together");
    expect(call.snapshot.context.errors.at(-1)?.code).toBe("caller_on_hold");
    const asked = call.asked("carrier.hold");
    call.happens({ type: "deadline", name: "checkup" });
    expect(call.asked("carrier.hold")).toBe(asked + 1);
    expect(call.answer("carrier.hold").snapshot.context.unholdOwed).toBe(false);
  });

  test("is not believed to be back by a callback alone, which may be an old one", () => {
    const call = coached(consulting());
    call.happens({ type: "participant.changed", label: "caller", muted: null, coaching: null, hold: false });
    expect(call.caller).toBe("resuming");
    expect(call.inputs("carrier.hold").at(-1)).toEqual({ label: "caller", hold: false });
  });

  test("is found there by a callback, and taken back when nobody wants that", () => {
    const call = talking();
    call.happens({ type: "participant.changed", label: "caller", muted: null, coaching: null, hold: true });
    expect(call.inputs("carrier.hold")).toEqual([{ label: "caller", hold: false }]);
  });

  test("speaks to the human alone afterwards, when that is the policy", () => {
    const call = coached(consulting({ ...INPUT, afterHandover: "remove" }));
    expect(call.whisper).toBe("active");
    expect(call.happens({ type: "op.resume" }).value).toEqual({ removed: "leaving" });
  });
});
