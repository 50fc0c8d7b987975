import { expect, test } from "bun:test";
import { InputBuffer, MAX_BUFFER_BYTES } from "../../../../adapters/sandbox/model/input-buffer.ts";

const bytes = (from: number, count: number) =>
  Uint8Array.from({ length: count }, (_, i) => (from + i) & 0xff);

test("the clock counts every appended byte and survives clear and take", () => {
  const buffer = new InputBuffer(8);
  buffer.append(bytes(0, 800));
  expect(buffer.endMs).toBe(100);
  buffer.clear();
  expect([buffer.startMs, buffer.endMs, buffer.lengthMs]).toEqual([100, 100, 0]);
  buffer.append(bytes(0, 400));
  buffer.take(100, 130);
  expect([buffer.startMs, buffer.endMs]).toEqual([130, 150]);
});

test("take cuts across appends and forgets what came before", () => {
  const buffer = new InputBuffer(1);
  buffer.append(bytes(0, 10));
  buffer.append(bytes(10, 10));
  buffer.append(new Uint8Array(0));
  buffer.append(bytes(20, 10));
  expect([...buffer.take(6, 24)]).toEqual([...bytes(6, 18)]);
  expect([buffer.startMs, buffer.bytes]).toEqual([24, 6]);
  expect([...buffer.take(0, 1000)]).toEqual([...bytes(24, 6)]);
  expect(buffer.take(0, 1000)).toHaveLength(0);
});

test("another format keeps the clock and forgets the audio", () => {
  const buffer = new InputBuffer(8);
  buffer.append(bytes(0, 800));
  buffer.setRate(48);
  buffer.append(bytes(0, 480));
  expect([buffer.startMs, buffer.endMs, buffer.bytes]).toEqual([100, 110, 480]);
});

test("the oldest audio is dropped and counted beyond the bound; the clock stays right", () => {
  const buffer = new InputBuffer(8);
  buffer.append(new Uint8Array(MAX_BUFFER_BYTES));
  buffer.append(new Uint8Array(800));
  expect(buffer.bytes).toBe(MAX_BUFFER_BYTES);
  expect(buffer.droppedBytes).toBe(800);
  expect(buffer.endMs).toBe((MAX_BUFFER_BYTES + 800) / 8);
});
