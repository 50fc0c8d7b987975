import { describe, expect, test } from "bun:test";
import { createLiveIndex, type FeedMessage } from "../../../engine/call/live-index.ts";
import { Feed, type FeedSocket } from "../../../engine/http/feed.ts";

const call = {
  callSid: "CA1",
  state: "streaming",
  value: "streaming",
  startedAtMs: 1,
  role: "agent",
} as const;
const note: FeedMessage = { type: "note", name: "hello", callSid: "CA1", at: "2023-11-14T22:13:20.000Z" };

function make() {
  const index = createLiveIndex();
  const noted: string[] = [];
  const feed = new Feed(index, { note: ({ name }, what) => void noted.push(`${name} ${what}`) });
  const published: (readonly [string, string])[] = [];
  const publish = (topic: string, text: string): number => published.push([topic, text]);
  const actions: string[] = [];
  const socket: FeedSocket = {
    data: { who: { name: "ann", role: "operator", via: "api" } },
    send: (text) => actions.push(text),
    subscribe: (topic) => void actions.push(`subscribe ${topic}`),
  };
  return { index, feed, noted, published, publish, actions, socket };
}

describe("the live feed", () => {
  test("shows a new viewer what is running now, and misses nothing in between", () => {
    const { index, feed, actions, socket } = make();
    index.send({ type: "begun", call });
    feed.open(socket);
    expect(actions[0]).toBe("subscribe feed");
    expect(JSON.parse(actions[1] ?? "")).toEqual({ type: "snapshot", calls: [call] });
    expect(actions).toHaveLength(2);
  });

  test("has it noted who looks", () => {
    const { feed, noted, socket } = make();
    feed.open(socket);
    expect(noted).toEqual(["ann feed"]);
  });

  test("publishes each message once, for all who look", () => {
    const { feed, publish, published, socket } = make();
    feed.connect(publish);
    feed.open(socket);
    feed.open(socket);
    feed.tell(note);
    expect(published.map(([topic, text]) => [topic, JSON.parse(text) as unknown])).toEqual([["feed", note]]);
    expect(feed.counters.messages).toBe(1);
  });

  test("tells viewers on a topic of their own what is said without its words, and only when there are some", () => {
    const { feed, publish, published, socket } = make();
    feed.connect(publish);
    feed.open(socket);
    const said = {
      ...note,
      type: "transcript",
      speaker: "agent",
      text: "Ann",
      heardText: "A",
    } as FeedMessage;
    feed.tell(said);
    expect(published).toHaveLength(1);
    const topics: string[] = [];
    const viewer: FeedSocket = {
      data: { who: { name: "bob", role: "viewer", via: "api" } },
      send: () => 1,
      subscribe: (topic) => void topics.push(topic),
    };
    feed.open(viewer);
    feed.tell(said);
    const [, [openTopic, open] = ["", ""], [topic, text] = ["", ""]] = published;
    expect([openTopic, topic]).toEqual(["feed", topics[0] ?? ""]);
    expect(JSON.parse(open)).toMatchObject({ text: "Ann", heardText: "A" });
    expect(JSON.parse(text)).toMatchObject({ type: "transcript", speaker: "agent", text: "[redacted]" });
    expect(text).not.toContain('A"');
    feed.close(viewer);
    feed.tell(said);
    expect(published).toHaveLength(4);
  });

  test("does nothing while nobody looks", () => {
    const { feed, publish, published, socket } = make();
    const unreadable = {
      get type(): never {
        throw new Error("was read");
      },
    } as unknown as FeedMessage;
    feed.connect(publish);
    feed.tell(unreadable);
    feed.open(socket);
    feed.close(socket);
    feed.tell(unreadable);
    expect(published).toEqual([]);
    expect(feed).toMatchObject({ viewers: 0, counters: { messages: 0 } });
  });

  test("goes on for the others when one stops looking", () => {
    const { feed, publish, published, socket } = make();
    feed.connect(publish);
    feed.open(socket);
    feed.open(socket);
    feed.close(socket);
    feed.tell(note);
    expect(published).toHaveLength(1);
  });

  test("is silent before the server listens", () => {
    const { feed, socket } = make();
    feed.open(socket);
    expect(() => feed.tell(note)).not.toThrow();
    expect(feed.counters.messages).toBe(0);
  });
});
