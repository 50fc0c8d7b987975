import { describe, expect, test } from "bun:test";
import { BUILT_IN_TOOLS, checkToolCall } from "../../../engine/call/tools.ts";
import { z } from "zod";

const check = (name: string, argumentsJson: string, role: "agent" | "coach" = "agent") =>
  checkToolCall({ callId: "t1", name, argumentsJson }, role);

function problem(name: string, argumentsJson: string, role: "agent" | "coach" = "agent"): string {
  const result = check(name, argumentsJson, role);
  if (result.ok) throw new Error("the call was accepted");
  return result.problem;
}

describe("escalate", () => {
  test("needs a reason; the urgency is normal unless it is said", () => {
    const event = { type: "tool.escalate", toolCallId: "t1", reason: "chest pain" } as const;
    expect(check("escalate", '{"reason":" chest pain "}')).toEqual({
      ok: true,
      event: { ...event, urgency: "normal" },
    });
    expect(check("escalate", '{"reason":"chest pain","urgency":"emergency"}')).toEqual({
      ok: true,
      event: { ...event, urgency: "emergency" },
    });
  });

  test("tells the model which argument is wrong", () => {
    expect(problem("escalate", "{}")).toStartWith("reason: ");
    expect(problem("escalate", "")).toStartWith("reason: ");
    expect(problem("escalate", '{"reason":"   "}')).toStartWith("reason: ");
    expect(problem("escalate", `{"reason":"${"x".repeat(1001)}"}`)).toStartWith("reason: ");
    expect(problem("escalate", '{"reason":"r","urgency":"now"}')).toMatch(/^urgency: .*"emergency"/);
    expect(problem("escalate", '{"reason":"r","number":"+15550100"}')).toMatch(/^arguments: .*number/);
  });

  test("tells the model of every mistake at once", () => {
    const both = problem("escalate", '{"reason":7,"urgency":"now"}');
    expect(both).toContain("reason: ");
    expect(both).toContain("; urgency: ");
  });
});

describe("end_call", () => {
  test("needs nothing, and may say why", () => {
    const event = { type: "tool.endCall", toolCallId: "t1" } as const;
    expect(check("end_call", "")).toEqual({ ok: true, event: { ...event, reason: null } });
    expect(check("end_call", "{}")).toEqual({ ok: true, event: { ...event, reason: null } });
    expect(check("end_call", '{"reason":"done"}')).toEqual({ ok: true, event: { ...event, reason: "done" } });
  });

  test("tells the model which argument is wrong", () => {
    expect(problem("end_call", '{"reason":null}')).toStartWith("reason: ");
    expect(problem("end_call", '{"why":"done"}')).toStartWith("arguments: ");
  });
});

describe("take_back", () => {
  test("needs nothing, and may say why", () => {
    const event = { type: "tool.takeBack", toolCallId: "t1" } as const;
    expect(check("take_back", "", "coach")).toEqual({ ok: true, event: { ...event, reason: null } });
    expect(check("take_back", '{"reason":" all done "}', "coach")).toEqual({
      ok: true,
      event: { ...event, reason: "all done" },
    });
    expect(problem("take_back", '{"reason":7}', "coach")).toStartWith("reason: ");
  });

  test("is for the coach alone", () => {
    expect(problem("take_back", "{}")).toBe("take_back is for the coach; you are the agent");
  });
});

describe("a tool call", () => {
  test("that is not JSON, or not an object, is answered as such", () => {
    expect(problem("escalate", '{"reason":')).toStartWith("the arguments are not JSON: ");
    for (const json of ["null", "[]", '"reason"', "1"]) {
      expect(problem("escalate", json)).toStartWith("arguments: ");
    }
  });

  test("of a tool that is not there is told which ones are", () => {
    expect(problem("transfer", "{}")).toBe(
      "there is no such tool; the tools are: escalate, end_call, take_back",
    );
  });
});

describe("the tools", () => {
  test("are declared to the model with what each argument is for", () => {
    for (const tool of BUILT_IN_TOOLS) {
      const schema = z.toJSONSchema(tool.parameters, { io: "input" }) as {
        properties: Record<string, { description?: string }>;
        additionalProperties?: boolean;
      };
      expect(schema.additionalProperties).toBe(false);
      for (const argument of Object.values(schema.properties)) {
        expect(argument.description?.length ?? 0).toBeGreaterThan(10);
      }
    }
    expect(BUILT_IN_TOOLS.map((tool) => tool.name)).toEqual(["escalate", "end_call", "take_back"]);
  });
});
