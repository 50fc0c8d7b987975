/** The page behind a link: looking changes nothing, posting answers, and nobody else's link works. */
import { describe, expect, test } from "bun:test";
import type { PageView } from "../../../engine/call/escalations-view.ts";
import { CALL_SID } from "../call/support.ts";
import { makePages, ORIGIN } from "./pages-setup.ts";

const DAY_MS = 86_400_000;

function linked(patch: Partial<PageView> = {}, deployment: Parameters<typeof makePages>[0] = {}) {
  const pages = makePages(deployment);
  const page = { label: "push-3", channel: "push", ...patch } as const;
  pages.escalations.put(page);
  pages.escalations.reacts = (event) => {
    if (event.type === "page.acknowledged") pages.escalations.put({ ...page, standing: "yours" });
  };
  const token = pages.tokens.issue(CALL_SID, page.label);
  const ask = async (init: RequestInit = {}, path = `/ack/${token}`, address = "192.0.2.1") => {
    const request = new Request(`${ORIGIN}${path}`, init);
    const answer = await pages.ack.handle(request, new URL(request.url), address);
    if (!answer) throw new Error("the path is not an ack link's");
    return answer;
  };
  const post = (fields: Record<string, string> = {}, accept = "application/json") =>
    ask({ method: "POST", body: new URLSearchParams(fields), headers: { accept } });
  return { ...pages, page, token, ask, post };
}

describe("looking at a link", () => {
  test("shows who asks and how urgently, and changes nothing, however often it is fetched", async () => {
    const { ask, escalations } = linked();
    for (let n = 0; n < 3; n++) {
      const answer = await ask();
      expect(answer.status).toBe(200);
      const html = await answer.text();
      expect(html).toContain("<h1>after-hours: a caller needs you (urgent)</h1>");
      expect(html).toContain("You are asked as on-call nurse (primary).");
      expect(html).toContain('<form method="post"><button class="take">I take it</button>');
      expect(html).toContain('<button class="decline" name="decline" value="1">Decline</button>');
    }
    const head = await ask({ method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    expect(escalations.events).toEqual([]);
  });

  test("needs no script and nobody else's server, and is kept and indexed nowhere", async () => {
    const { ask } = linked();
    const answer = await ask();
    const csp = answer.headers.get("content-security-policy") ?? "";
    const html = await answer.text();
    const style = /<style>([\s\S]*)<\/style>/.exec(html)?.[1] ?? "";
    const hash = new Bun.CryptoHasher("sha256").update(style).digest("base64");
    expect(csp).toBe(
      `default-src 'none'; style-src 'sha256-${hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
    );
    expect(html).not.toMatch(/<script|https?:|style=/);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("referrer-policy")).toBe("no-referrer");
    expect(answer.headers.get("x-robots-tag")).toBe("noindex, nofollow");
    expect(answer.headers.get("content-type")).toBe("text/html; charset=utf-8");
  });

  test("tells the reason only where the deployment tells it by that channel", async () => {
    expect(await (await linked().ask()).text()).not.toContain("chest");
    const told = linked({}, { escalation: { details: { push: "reason" } } });
    expect(await (await told.ask()).text()).toContain("<p>Reason: chest pain since noon</p>");
    const byText = linked(
      { channel: "sms", label: "sms-3" },
      { escalation: { details: { push: "reason" } } },
    );
    expect(await (await byText.ask()).text()).not.toContain("chest");
  });

  test("is safe from what a reason or a name contains", async () => {
    const evil = "<img src=x onerror=alert(1)>\"'&";
    const { ask } = linked(
      { reason: evil, agent: evil, contactName: evil, rungName: evil },
      { escalation: { details: { push: "reason" } } },
    );
    const html = await (await ask()).text();
    expect(html).not.toContain("<img");
    expect(html).toContain("&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;");
  });

  test("says who has it, that it is over, or that the link is too old, without a button", async () => {
    const { ask, clock, escalations, page } = linked();
    const shown = async () => {
      const answer = await ask();
      expect(answer.status).toBe(200);
      const html = await answer.text();
      expect(html).not.toContain("I take it");
      return html;
    };
    escalations.put({ ...page, standing: "taken", ownerName: "second nurse" });
    expect(await shown()).toContain("second nurse has it.");
    escalations.put({ ...page, standing: "over" });
    expect(await shown()).toContain("Nobody is needed any more.");
    // Somebody may be wanted still, or they themselves may have it.
    escalations.put({ ...page, standing: "over", unmet: true });
    expect(await shown()).toContain("The call is ending.");
    escalations.put({ ...page, standing: "over", unmet: true, followUp: true });
    expect(await shown()).not.toContain("Nobody is needed");
    escalations.pages.clear();
    expect(await shown()).not.toContain("Nobody is needed");
    escalations.put({ ...page, standing: "yours" });
    expect(await shown()).toContain("Your phone rings now: press 1 to join.");
    clock.advance(DAY_MS + 1000);
    const old = await shown();
    expect(old).toContain("This link is too old.");
    expect(old).not.toContain("after-hours");
  });
});

describe("posting to a link", () => {
  test("acknowledges, and says the same to the same person again", async () => {
    const { post, escalations, lines } = linked();
    for (let n = 0; n < 3; n++) {
      const answer = await post();
      expect(answer.status).toBe(200);
      expect(answer.headers.get("content-type")).toBe("application/json");
      expect(await answer.json()).toEqual({
        status: "accepted",
        message: "You have it. Your phone rings now: press 1 to join.",
      });
    }
    expect(escalations.events).toEqual([{ type: "page.acknowledged", label: "push-3" }]);
    expect(lines.filter((line) => line.event === "ack.answered")[0]).toMatchObject({
      callSid: CALL_SID,
      label: "push-3",
      answer: "acknowledged",
      standing: "yours",
    });
  });

  test("without a body and without a header is an acknowledgement, answered with a page", async () => {
    const { ask, escalations } = linked();
    const answer = await ask({ method: "POST" });
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect(await answer.text()).toContain("<h1>You have it.</h1>");
    expect(escalations.events).toHaveLength(1);
  });

  test("is a page for a browser, and JSON for a program", async () => {
    const type = async (accept: string) => (await linked().post({}, accept)).headers.get("content-type");
    expect(await type("text/html,application/xhtml+xml,*/*;q=0.8")).toStartWith("text/html");
    expect(await type("application/json, text/html")).toStartWith("text/html");
    expect(await type("application/json")).toBe("application/json");
  });

  test("declines with decline=1", async () => {
    const { post, escalations } = linked();
    const answer = await post({ decline: "1" });
    expect([answer.status, await answer.json()]).toEqual([
      200,
      { status: "declined", message: "Thank you. Others are asked." },
    ]);
    expect(escalations.events).toEqual([{ type: "page.declined", label: "push-3" }]);
  });

  test("declines in whatever form a program says so, and takes nothing that it may not have meant to take", async () => {
    const json = (body: string) => ({ body, headers: { "content-type": "application/json" } });
    const multipart = new FormData();
    multipart.set("decline", "1");
    const of = async (init: RequestInit, query = "") => {
      const { ask, escalations, token } = linked();
      const { status } = await ask({ method: "POST", ...init }, `/ack/${token}${query}`);
      return [status, ...escalations.events.map(({ type }) => type)];
    };
    for (const init of [json('{"decline":true}'), json('{"decline":1}'), json('{"decline":"1"}')])
      expect(await of(init)).toEqual([200, "page.declined"]);
    expect(await of({ body: '{"decline":true}' })).toEqual([200, "page.declined"]);
    expect(await of({ body: multipart })).toEqual([200, "page.declined"]);
    expect(await of({ body: new URLSearchParams({ decline: "true" }) })).toEqual([200, "page.declined"]);
    expect(await of({}, "?decline=1")).toEqual([200, "page.declined"]);
    for (const init of [
      {},
      json("{}"),
      json('{"decline":false}'),
      { body: new URLSearchParams("decline=0") },
    ])
      expect(await of(init)).toEqual([200, "page.acknowledged"]);
    const unclear = [
      json("{decline}"),
      json('{"decline":{}}'),
      { body: "decline" },
      json('{"decline":"perhaps"}'),
    ];
    for (const init of unclear) expect(await of(init)).toEqual([400]);
    const broken = { body: "--x", headers: { "content-type": "multipart/form-data; boundary=x" } };
    expect(await of(broken)).toEqual([400]);
  });

  test("does not decline what they have already", async () => {
    const { post, escalations, page } = linked();
    escalations.put({ ...page, standing: "yours" });
    const answer = await post({ decline: "1" });
    expect(((await answer.json()) as { status: string }).status).toBe("accepted");
    expect(escalations.events).toEqual([]);
  });

  test("is 409 with who has it, and 410 when it is over, forgotten or expired", async () => {
    const { post, clock, escalations, page } = linked();
    escalations.put({ ...page, standing: "taken", ownerName: "second nurse" });
    const taken = await post();
    expect([taken.status, await taken.json()]).toEqual([
      409,
      {
        status: "taken",
        message: "second nurse has it. You need not do anything. Thank you.",
        owner: "second nurse",
      },
    ]);
    expect((await post({ decline: "1" })).status).toBe(200);
    escalations.put({ ...page, standing: "over" });
    expect((await post()).status).toBe(410);
    escalations.put({ ...page, standing: "over", unmet: true });
    expect((await post()).status).toBe(503);
    escalations.put({ ...page, standing: "over", unmet: true, followUp: true });
    expect((await post()).status).toBe(410);
    escalations.pages.clear();
    expect((await post()).status).toBe(410);
    escalations.put({ ...page, standing: "open" });
    clock.advance(DAY_MS + 1000);
    const expired = await post();
    expect([expired.status, ((await expired.json()) as { status: string }).status]).toEqual([410, "expired"]);
    expect(escalations.events).toEqual([]);
  });

  test("that the call did not take is 503, and no acknowledgement", async () => {
    const { post, escalations } = linked();
    escalations.reacts = () => undefined;
    expect((await post()).status).toBe(503);
  });

  test("with more than a form is refused, by its announced and by its real size", async () => {
    const { ask, escalations } = linked();
    const large = "x".repeat(5000);
    expect((await ask({ method: "POST", body: large })).status).toBe(413);
    const announced = { "content-length": "5000" };
    expect((await ask({ method: "POST", body: "x", headers: announced })).status).toBe(413);
    expect(escalations.events).toEqual([]);
  });

  test("tells a follow-up's number only where the deployment tells of callers by that channel", async () => {
    const followUp = { followUp: true, callerNumber: "+15550177" };
    const message = async (pages: ReturnType<typeof linked>) => {
      const answer = (await (await pages.post()).json()) as { message: string };
      return answer.message;
    };
    expect(await message(linked(followUp))).toBe(
      "You have it. The caller has left: the number to call back is in the console.",
    );
    const told = linked(followUp, { escalation: { details: { push: "reason" } } });
    expect(await message(told)).toBe("You have it. The caller has left: call back +15550177.");
  });
});

describe("any other request", () => {
  test("with a wrong token finds nothing, and too many from one address are told to wait", async () => {
    const { ask, ack, clock, lines, token } = linked();
    let tried = 0;
    const wrong = (address?: string) => ask({ method: "POST" }, `/ack/wrong-${tried++}`, address);
    for (let n = 0; n < 20; n++) expect((await wrong()).status).toBe(404);
    expect((await wrong()).status).toBe(429);
    expect((await wrong("192.0.2.2")).status).toBe(404);
    // Behind a proxy everybody has one address: the right link works all the same.
    expect((await ask({}, `/ack/${token}`)).status).toBe(200);
    clock.advance(60_000);
    expect((await wrong()).status).toBe(404);
    expect(ack.counters).toEqual({ ackUnknown: 23, ackTooMany: 1, ackAddressesForgotten: 0 });
    expect(lines.filter((line) => line.event === "ack.too_many_wrong_tokens")).toHaveLength(1);
  });

  test("counts the wrong tokens of a bounded number of addresses", async () => {
    const { ask } = linked();
    let tried = 0;
    const wrong = (address: string) => ask({}, `/ack/wrong-${tried++}`, address);
    for (let n = 0; n < 20; n++) await wrong("first");
    expect((await wrong("first")).status).toBe(429);
    for (let n = 0; n < 1000; n++) await wrong(`other-${n}`);
    expect((await wrong("first")).status).toBe(404);
  });

  test("by another method is told which there are", async () => {
    const { ask, escalations } = linked();
    for (const method of ["PUT", "DELETE", "PATCH", "OPTIONS"]) {
      const answer = await ask({ method });
      expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET, HEAD, POST"]);
    }
    expect(escalations.events).toEqual([]);
  });

  test("for another path is not its own", async () => {
    const { ack } = linked();
    const request = new Request(`${ORIGIN}/other`);
    expect(await ack.handle(request, new URL(request.url), null)).toBeNull();
  });
});
