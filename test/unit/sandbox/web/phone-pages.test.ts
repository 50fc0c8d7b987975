import { describe, expect, test } from "bun:test";
import { PhonePages } from "../../../../adapters/sandbox/web/phone-pages.ts";
import { silentLog } from "../../../../engine/platform/log.ts";
import { noiseSpeech } from "../../../support/world.ts";

const ORIGIN = "http://127.0.0.1:8081";

function pages(): PhonePages {
  return new PhonePages({ speech: noiseSpeech(), log: silentLog, number: () => "+15550123" });
}

async function get(
  from: PhonePages,
  path: string,
  headers: Record<string, string> = {},
  init: RequestInit = {},
) {
  const request = new Request(`${ORIGIN}${path}`, { ...init, headers });
  return await from.handle(request, path, ORIGIN);
}

describe("the phones' pages", () => {
  test("are left alone for other paths", async () => {
    expect(await get(pages(), "/sandbox/state")).toBeNull();
    expect(await get(pages(), "/phonesx")).toBeNull();
  });

  test("are a page, its script, its worklet and its style, with a policy that allows nothing from elsewhere", async () => {
    const served = pages();
    served.set({
      origin: "http://127.0.0.1:8080",
      people: [],
      understandsSpeech: false,
      consoleUrl: "http://127.0.0.1:8080/console",
    });
    for (const [path, type] of [
      ["/phones", "text/html"],
      ["/phones/caller", "text/html"],
      ["/phones/on-call", "text/html"],
      ["/phones/main.js", "text/javascript"],
      ["/phones/voice-worklet.js", "text/javascript"],
      ["/phones/phones.css", "text/css"],
      ["/phones/icon.svg", "image/svg+xml"],
    ] as const) {
      const answer = await get(served, path);
      expect([path, answer?.status]).toEqual([path, 200]);
      expect(answer?.headers.get("content-type")).toStartWith(type);
      const policy = answer?.headers.get("content-security-policy") ?? "";
      expect(policy).toStartWith("default-src 'none'; script-src 'self'");
      expect(policy).toContain("form-action http://127.0.0.1:8080;");
      expect(policy).not.toMatch(/unsafe|\*|data:|https:/);
      // Nothing in them names another host, but for the namespaces of SVG and MathML.
      const text = (await answer?.text()) ?? "";
      const hosts = [...text.matchAll(/https?:\/\/([\w.-]+\.[a-z]+)/g)].map((match) => match[1]);
      expect(hosts.filter((host) => host !== "www.w3.org" && host !== "json-schema.org")).toEqual([]);
    }
    expect((await get(served, "/phones/other.js"))?.status).toBe(404);
    expect((await get(served, "/phones", {}, { method: "POST" }))?.status).toBe(405);
  });

  test("tell whom a handset can be, and whose pushes come here", async () => {
    const served = pages();
    const person = (name: string, push: string | null) => ({
      rung: "primary",
      name,
      number: "+15550100",
      push,
    });
    served.set({
      origin: "http://127.0.0.1:8080",
      people: [
        person("here", `${ORIGIN}/sandbox/push/nurse`),
        person("none", null),
        person("another port", "http://127.0.0.1:9000/sandbox/push/nurse"),
        person("elsewhere", "https://push.example/sandbox/push/nurse"),
      ],
      understandsSpeech: true,
      consoleUrl: "http://127.0.0.1:8080/console",
    });
    const facts = (await (await get(served, "/phones/facts"))?.json()) as {
      number: string;
      people: { name: string; pushName: string | null }[];
    };
    expect(facts.number).toBe("+15550123");
    expect(facts.people.map(({ name, pushName }) => [name, pushName])).toEqual([
      ["here", "nurse"],
      ["none", null],
      ["another port", null],
      ["elsewhere", null],
    ]);
  });

  test("say what is typed, and refuse what is no text", async () => {
    const say = (body: string) => get(pages(), "/phones/say", {}, { method: "POST", body });
    const answer = await say(JSON.stringify({ text: " I need a nurse. " }));
    expect(answer?.status).toBe(200);
    expect(await answer?.bytes()).toEqual(await noiseSpeech().say("I need a nurse."));
    for (const body of ["", "{}", JSON.stringify({ text: " " }), JSON.stringify({ text: "a".repeat(501) })]) {
      expect((await say(body))?.status).toBe(400);
    }
    expect((await get(pages(), "/phones/say"))?.status).toBe(405);
  });
});
