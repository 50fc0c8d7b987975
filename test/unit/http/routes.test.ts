/** Every route with every role, over a real socket; and the table of the docs beside the one of the code. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { tokenHash } from "../../../engine/config/tokens-file.ts";
import { may, type Role, ROLES } from "../../../engine/console/who.ts";
import { take, ROUTES } from "../../../engine/http/routes.ts";
import { type FakeEngine, startFakeEngine } from "../../support/fake-ports.ts";

const ADMIN = "the-console-token";
const VIEWER = "the-viewers-token";
const tokens = ROLES.map((role) => ({
  name: `a-${role}`,
  role,
  sha256: tokenHash(`the-token-of-a-${role}`),
}));
const BEARERS: readonly (readonly [who: string, role: Role | null, token: string | null])[] = [
  ["nobody", null, null],
  ["somebody with a wrong token", null, "a-token-of-nobody"],
  ["TANDEM_VIEWER_TOKEN", "viewer", VIEWER],
  ["TANDEM_CONSOLE_TOKEN", "admin", ADMIN],
  ...tokens.map(({ name, role }) => [`the token ${name}`, role, `the-token-of-${name}`] as const),
];
const CALL = "CA00000000000000000000000000000001";
const routes = Object.values(ROUTES);
let fake: FakeEngine;

beforeAll(() => {
  fake = startFakeEngine({ consoleToken: ADMIN, viewerToken: VIEWER, tokens, sandbox: {} });
});
afterAll(async () => await fake.stop());

async function statusOf(path: string, method: string, token: string | null): Promise<number> {
  const url = `${fake.engine.origin}${path}`;
  const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
  const answer = await fetch(url, { method, headers, ...(method === "POST" && { body: "{}" }) });
  await answer.body?.cancel();
  return answer.status;
}

const pathOf = (path: string): string =>
  path.replace("{callSid}", CALL).replace("{hash}", "0".repeat(64)).replace("{machine}", "call");

describe.each(BEARERS)("%s", (_, role, token) => {
  test.each(routes.map(({ method, path, needs }) => [method, path, needs] as const))(
    "%s %s, which takes the role %s",
    async (method, path, needs) => {
      const status = await statusOf(pathOf(path), method, token);
      if (role === null) expect(status).toBe(401);
      else if (may({ role }, needs)) expect([401, 403]).not.toContain(status);
      else expect(status).toBe(403);
    },
  );

  test("and what is in no table", async () => {
    for (const path of ["/api/other", `/api/calls/${CALL}/other`, "/api/", "/api/calls/"])
      expect(await statusOf(path, "GET", token)).toBe(role === null ? 401 : 404);
  });
});

test("somebody on this machine may do all in sandbox mode, where there is no token", async () => {
  const open = startFakeEngine({ sandbox: {} });
  for (const { method, path } of routes) {
    const answer = await fetch(`${open.engine.origin}${pathOf(path)}`, { method });
    expect([401, 403]).not.toContain(answer.status);
    await answer.body?.cancel();
  }
  await open.stop();
});

test("a path is told of no method to those who may not use it", () => {
  const who = { name: "bob", role: "viewer", via: "api" } as const;
  expect(take("GET", `/api/calls/${CALL}/commands`, who)).toMatchObject({ status: 403 });
  expect(take("DELETE", "/api/calls", who)).toMatchObject({ status: 405 });
});

test("the table of the docs is that of the code", () => {
  const text = readFileSync(join(import.meta.dir, "../../../docs/console.md"), "utf8");
  const rows = [...text.matchAll(/^\| `(GET|POST) (\/api[^`]*)` +\| (viewer|operator|admin) +\|/gm)];
  const told = rows.map(([, method, path, needs]) => `${method} ${path} ${needs}`);
  expect(told.toSorted()).toEqual(
    routes.map(({ method, path, needs }) => `${method} ${path} ${needs}`).toSorted(),
  );
});
