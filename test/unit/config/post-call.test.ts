import { describe, expect, test } from "bun:test";
import { load, namesOf } from "./support.ts";

describe("what follows a call", () => {
  const SECRET = { TANDEM_WEBHOOK_SECRET: "a-webhook-secret-for-tests-only" };
  const URL_OF = { url: "https://rows.example/hook" };

  test("is read by a small model and told to nobody, unless it is said otherwise", async () => {
    const { deployment, webhookSecret } = await load({});
    expect(deployment.postCall).toEqual({
      extract: true,
      model: "gpt-5.4-mini",
      timeoutMs: 60_000,
      attempts: 5,
      retryAfterMs: 30_000,
      slots: [],
    });
    expect(webhookSecret).toBeNull();
  });

  test("takes a webhook, with the secret that signs", async () => {
    const { deployment, webhookSecret } = await load(SECRET, { postCall: { webhook: URL_OF } });
    expect(deployment.postCall.webhook).toEqual({
      ...URL_OF,
      timeoutMs: 10_000,
      attempts: 8,
      retryAfterMs: 10_000,
    });
    expect(webhookSecret).toBe(SECRET.TANDEM_WEBHOOK_SECRET);
    expect(await namesOf({}, { postCall: { webhook: URL_OF } })).toEqual(["TANDEM_WEBHOOK_SECRET"]);
    expect(await namesOf({ TANDEM_WEBHOOK_SECRET: "short" })).toEqual(["TANDEM_WEBHOOK_SECRET"]);
  });

  test.each(["http://rows.example/hook", "https://10.0.0.1/", "ftp://rows.example"])(
    "sends no row to %s",
    async (url) => {
      expect(await namesOf(SECRET, { postCall: { webhook: { url } } })).toEqual(["postCall.webhook.url"]);
    },
  );

  test("takes slots, each with a name of its own", async () => {
    const slot = (name: string) => ({ name, description: "When they were born." });
    const { deployment } = await load({}, { postCall: { slots: [slot("dateOfBirth")] } });
    expect(deployment.postCall.slots).toEqual([{ ...slot("dateOfBirth"), type: "text" }]);
    const wrong = ["dateOfBirth", "dateOfBirth", "urgency", "Born", "date-of-birth", "constructor"].map(slot);
    expect((await namesOf({}, { postCall: { slots: wrong } })).toSorted()).toEqual([
      "postCall.slots[1].name",
      "postCall.slots[2].name",
      "postCall.slots[3].name",
      "postCall.slots[4].name",
      "postCall.slots[5].name",
    ]);
    expect(await namesOf({}, { postCall: { slots: [{ ...slot("x"), kind: "text" }] } })).toEqual([
      "postCall.slots[0].kind",
    ]);
  });
});
