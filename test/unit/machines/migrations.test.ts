import { describe, expect, test } from "bun:test";
import { createActor } from "xstate";
import { callMachine } from "../../../machines/call.machine.ts";
import { adopt, type SavedMachine } from "../../../machines/migrations.ts";
import { INPUT } from "../../model/driver.ts";

const shapes = { root: { machine: callMachine, facts: ["legs", "pending"] } };
const now = { hash: "new", shapes };

function saved(): SavedMachine {
  const actor = createActor(callMachine, { input: INPUT }).start();
  return actor.getPersistedSnapshot() as unknown as SavedMachine;
}

describe("a snapshot of another version", () => {
  test("is brought up to this one by the migration of its hash", () => {
    const { pending: calledOtherwise, ...context } = saved().context;
    const old = { ...saved(), context: { ...context, asked: calledOtherwise } };
    const migrations = {
      old: (snapshot: SavedMachine): SavedMachine => {
        const { asked: pending, ...rest } = snapshot.context;
        return { ...snapshot, context: { ...rest, pending } };
      },
    };
    expect(adopt({ hash: "old", snapshot: old }, now)).toMatchObject({ ok: false });
    const adopted = adopt({ hash: "old", snapshot: old }, { ...now, migrations });
    expect(adopted).toMatchObject({ ok: true, how: "migrated", snapshot: { context: { pending: {} } } });
  });

  test("is taken as it is when this version has all that is in it", () => {
    expect(adopt({ hash: "new", snapshot: saved() }, now)).toMatchObject({ ok: true, how: "same" });
    expect(adopt({ hash: "other", snapshot: saved() }, now)).toMatchObject({ ok: true, how: "fits" });
  });

  test("is refused for an actor that is not there any more, or was never to be saved", () => {
    const child = (src: unknown) => ({
      ...saved(),
      children: { one: { src, snapshot: { status: "active", value: "a", context: {}, children: {} } } },
    });
    const refused = (src: unknown) => adopt({ hash: "new", snapshot: child(src) }, now);
    expect(refused("choir")).toMatchObject({ ok: false, why: 'there is no machine "choir"' });
    expect(refused({})).toMatchObject({ ok: false, why: 'there is no machine "inline"' });
    for (const snapshot of [
      null,
      7,
      {},
      { value: "a", context: {} },
      { ...saved(), children: { one: null } },
    ]) {
      expect(adopt({ hash: "new", snapshot }, now)).toEqual({
        ok: false,
        why: "it is no snapshot of a machine",
      });
    }
  });

  test("is refused for an actor that had ended or failed", () => {
    for (const status of ["done", "error"]) {
      const why = `root: its status is "${status}"`;
      expect(adopt({ hash: "new", snapshot: { ...saved(), status } }, now)).toEqual({ ok: false, why });
    }
  });
});
