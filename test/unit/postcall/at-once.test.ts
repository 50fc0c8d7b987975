import { expect, test } from "bun:test";
import { AtOnce } from "../../../engine/postcall/at-once.ts";
import { settle } from "../call/support.ts";

test("so many run at once and no more, the others in order, also when one fails", async () => {
  const atOnce = new AtOnce(2);
  const begun: number[] = [];
  const ends = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  const all = ends.map(async ({ promise }, index) => {
    await atOnce.run(async () => {
      begun.push(index);
      await promise;
    });
  });
  const outcomes = Promise.allSettled(all);
  await settle();
  expect(begun).toEqual([0, 1]);
  ends[1]?.reject(new Error("no"));
  await settle();
  expect(begun).toEqual([0, 1, 2]);
  for (const { resolve } of ends) resolve();
  await outcomes;
  expect(begun).toEqual([0, 1, 2, 3, 4]);
  let ran = false;
  await atOnce.run(async () => void (ran = true));
  expect(ran).toBe(true);
});
