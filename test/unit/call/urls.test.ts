import { describe, expect, test } from "bun:test";
import { createUrls } from "../../../engine/call/urls.ts";
import { CALL_SID } from "./support.ts";

const ORIGIN = "https://voice.example";
const urls = createUrls(ORIGIN);

describe("the URLs that Twilio is given", () => {
  test("are on the public origin, with or without a slash at its end", () => {
    for (const given of [ORIGIN, `${ORIGIN}/`, `${ORIGIN}//`]) {
      expect(createUrls(given).origin).toBe(ORIGIN);
      expect(createUrls(given).afterDial(CALL_SID)).toBe(`${ORIGIN}/twilio/after-dial?call=${CALL_SID}`);
    }
  });

  test("lead the media to the same host, in plain text only where the origin is", () => {
    expect(urls.media).toBe("wss://voice.example/twilio/media");
    expect(createUrls("http://127.0.0.1:8080").media).toBe("ws://127.0.0.1:8080/twilio/media");
  });

  test("name the call, and the leg where there is one", () => {
    const of = (path: string, label = "") => `${ORIGIN}/twilio/${path}?call=${CALL_SID}${label}`;
    expect(urls.afterStream(CALL_SID, "ai-1")).toBe(of("after-stream", "&label=ai-1"));
    expect(urls.human(CALL_SID, "human-1")).toBe(of("human", "&label=human-1"));
    expect(urls.humanKey(CALL_SID, "human-1", 2)).toBe(of("human-key", "&label=human-1&round=2"));
    expect(urls.humanMenu(CALL_SID, "human-1.2", 1)).toBe(of("human-menu", "&label=human-1.2&round=1"));
    expect(urls.humanAfterDial(CALL_SID, "human-1")).toBe(of("human-after-dial", "&label=human-1"));
    expect(urls.goodbye(CALL_SID)).toBe(of("goodbye"));
  });

  test("lead a person to their page", () => {
    expect(urls.ack("token")).toBe(`${ORIGIN}/ack/token`);
  });

  test("hold a label as one value, whatever is in it", () => {
    const url = new URL(urls.human(CALL_SID, "a&call=b#c d"));
    expect(url.searchParams.get("label")).toBe("a&call=b#c d");
    expect(url.searchParams.getAll("call")).toEqual([CALL_SID]);
  });

  test("of callbacks ask for retries, in the fragment that is not signed", () => {
    const callbacks = [
      urls.conferenceCallback(CALL_SID),
      urls.legStatus(CALL_SID, "ai-1"),
      urls.streamStatus(CALL_SID, "ai-1"),
      urls.messageStatus(CALL_SID, "sms-2"),
    ];
    for (const callback of callbacks) expect(new URL(callback).hash).toBe("#rc=3&rp=all");
    for (const document of [urls.goodbye(CALL_SID), urls.human(CALL_SID, "human-1")]) {
      expect(new URL(document).hash).toBe("");
    }
  });
});
