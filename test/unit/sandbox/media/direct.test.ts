import { expect, test } from "bun:test";
import { DirectPlayer } from "../../../../adapters/sandbox/carrier/media/direct.ts";
import { isSilent, noise, TestEndpoint } from "./audio.ts";

test("a clip is heard byte for byte, its last frame filled up with silence, and then it is done once", () => {
  const endpoint = new TestEndpoint();
  const player = new DirectPlayer(endpoint);
  const clip = noise(1, 2, 50);
  let done = 0;
  player.play(clip, () => done++);
  for (let i = 0; i < 5; i++) {
    expect(done).toBe(i < 3 ? 0 : 1);
    player.tick();
  }
  const heard = Buffer.concat(endpoint.heard.slice(0, 3));
  expect(heard.subarray(0, clip.length).equals(clip)).toBe(true);
  expect(isSilent(heard.subarray(clip.length))).toBe(true);
  expect(endpoint.heard.slice(3).every(isSilent)).toBe(true);
  expect(endpoint.heard).toHaveLength(5);
});

test("the endpoint is read in every tick and heard by nobody", () => {
  const endpoint = new TestEndpoint();
  endpoint.saying = noise(2);
  const player = new DirectPlayer(endpoint);
  for (let i = 0; i < 4; i++) player.tick();
  expect(endpoint.reads).toBe(4);
  expect(endpoint.heard.every(isSilent)).toBe(true);
});

test("onDone may play again without a gap, and what is cut off is never done", () => {
  const endpoint = new TestEndpoint();
  const player = new DirectPlayer(endpoint);
  const [a, b] = [noise(3), noise(4)];
  const done: string[] = [];
  player.play(a, () => {
    done.push("a");
    player.play(b, () => done.push("b"));
  });
  player.tick();
  player.tick();
  expect(done).toEqual(["a", "b"]);
  expect(endpoint.heard).toEqual([a, b]);
  player.play(a, () => done.push("cut"));
  player.play(b, () => done.push("stopped"));
  player.stop();
  player.tick();
  expect(done).toEqual(["a", "b"]);
  expect(isSilent(endpoint.last)).toBe(true);
});

test("an empty clip is done with the next tick", () => {
  const player = new DirectPlayer(new TestEndpoint());
  let done = 0;
  player.play(new Uint8Array(0), () => done++);
  player.tick();
  player.tick();
  expect(done).toBe(1);
});

test("an endpoint that stops or replaces the clip while it hears its last frame gets no onDone for it", () => {
  const endpoint = new TestEndpoint();
  const player = new DirectPlayer(endpoint);
  const done: string[] = [];
  let onWrite = () => player.stop();
  endpoint.write = () => onWrite();
  player.play(noise(1), () => done.push("stopped"));
  player.tick();
  onWrite = () => {
    onWrite = () => undefined;
    player.play(noise(3), () => done.push("new"));
  };
  player.play(noise(2), () => done.push("replaced"));
  player.tick();
  expect(done).toEqual([]);
  player.tick();
  expect(done).toEqual(["new"]);
});
