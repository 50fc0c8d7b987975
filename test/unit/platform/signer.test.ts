import { expect, test } from "bun:test";
import { Signer } from "../../../engine/platform/signer.ts";

const signer = (change: { secret?: string; purpose?: string } = {}): Signer =>
  new Signer({ secret: "a secret for tests", purpose: "a test", macBytes: 12, ...change });

test("a text that was signed opens to its payload, also for a signer that comes later", () => {
  const payload = Buffer.from("human-3");
  expect(signer().open(signer().sign(payload))).toEqual(payload);
});

test("no other text opens: changed, cut, of another secret or purpose, or spelled otherwise", () => {
  const text = signer().sign(Buffer.from("human-3"));
  for (let at = 0; at < text.length; at++) {
    const other = text[at] === "A" ? "B" : "A";
    expect(signer().open(text.slice(0, at) + other + text.slice(at + 1))).toBeNull();
    expect(signer().open(text.slice(0, at))).toBeNull();
  }
  expect(signer().open(`${text}=`)).toBeNull();
  expect(signer({ secret: "another" }).open(text)).toBeNull();
  expect(signer({ purpose: "another" }).open(text)).toBeNull();
});
