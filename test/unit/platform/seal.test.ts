import { describe, expect, test } from "bun:test";
import { Sealer, sealText } from "../../../engine/platform/seal.ts";
import { systemIds } from "../../../engine/platform/ids.ts";

const KEY = new Uint8Array(32).fill(7);
const sealer = new Sealer(KEY, systemIds);
const plain = new TextEncoder().encode("My chest hurts.");

describe("what is sealed", () => {
  test("opens under the same key and the same name, and shows nothing meanwhile", () => {
    const sealed = sealer.seal(plain, "CA1");
    expect(Buffer.from(sealed.data).includes("chest")).toBe(false);
    expect([sealed.iv.length, sealed.tag.length, sealed.data.length]).toEqual([12, 16, plain.length]);
    expect(new Uint8Array(new Sealer(KEY, systemIds).open(sealed, "CA1"))).toEqual(plain);
  });

  test("is the same whether it is sealed at once or later by somebody without keys", () => {
    const text = "Mein Kopf schmerzt, très fort: 痛い.";
    const later = JSON.parse(JSON.stringify(sealer.toSeal(text, "CA1"))) as ReturnType<typeof sealer.toSeal>;
    const opened = new Sealer(KEY, systemIds).open(sealText(later), "CA1");
    expect(new TextDecoder().decode(opened)).toBe(text);
    expect(sealText(later)).toEqual(sealText(later));
    expect(sealText(later).iv).not.toEqual(sealText(sealer.toSeal(text, "CA1")).iv);
  });

  test("never comes out the same twice", () => {
    expect(sealer.seal(plain, "CA1")).not.toEqual(sealer.seal(plain, "CA1"));
  });

  test("does not open under another name or key, or changed, or with a short tag", () => {
    const sealed = sealer.seal(plain, "CA1");
    const other = new Sealer(new Uint8Array(32).fill(8), systemIds);
    expect(() => sealer.open(sealed, "CA2")).toThrow();
    expect(() => other.open(sealed, "CA1")).toThrow();
    const data = Uint8Array.from(sealed.data, (byte, at) => (at === 3 ? byte ^ 1 : byte));
    expect(() => sealer.open({ ...sealed, data }, "CA1")).toThrow();
    expect(() => sealer.open({ ...sealed, tag: sealed.tag.slice(0, 4) }, "CA1")).toThrow();
  });

  test("names its key without telling anything of it", () => {
    expect(sealer.keyId).toMatch(/^[0-9a-f]{8}$/);
    expect(sealer.keyId).toBe(new Sealer(KEY, systemIds).keyId);
    expect(Buffer.from(KEY).toString("hex")).not.toContain(sealer.keyId);
  });
});
