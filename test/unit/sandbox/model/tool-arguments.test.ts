import { expect, test } from "bun:test";
import { fitArguments } from "../../../../adapters/sandbox/model/tool-arguments.ts";

test("what is not declared is dropped and what is required is filled in", () => {
  const parameters = {
    type: "object",
    properties: {
      reason: { type: "string" },
      kind: { type: "string", enum: ["a", "b"] },
      count: { type: "integer", minimum: 2 },
      loud: { type: "boolean" },
    },
    required: ["reason", "kind", "count", "loud"],
  };
  const tool = { type: "function" as const, name: "t", parameters };
  expect(fitArguments(tool, { kind: "b", other: 1 }, "my arm hurts")).toEqual({
    kind: "b",
    reason: "my arm hurts",
    count: 2,
    loud: false,
  });
});

test("without a schema the arguments stay as they are", () => {
  expect(fitArguments({ type: "function", name: "t" }, { a: 1 }, "")).toEqual({ a: 1 });
});
