/** Layout belongs to no process that carries calls. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";

const ROOT = join(import.meta.dir, "../../..");

/** Everything that is loaded with a file, by path; packages by name. */
function loadedWith(entry: string): Set<string> {
  const found = new Set<string>();
  const visit = (file: string): void => {
    if (found.has(file)) return;
    found.add(file);
    const source = readFileSync(join(ROOT, file), "utf8");
    for (const [, name = ""] of source.matchAll(/^(?:import|export) (?!type )[^;]*?"([^"]+)";/gms)) {
      if (!name.startsWith(".")) found.add(name);
      else if (name.endsWith(".ts")) visit(relative(ROOT, normalize(join(ROOT, dirname(file), name))));
    }
  };
  visit(entry);
  return found;
}

describe("the layout library", () => {
  test("is not loaded by the engine, but by the process that draws", () => {
    const engine = loadedWith("engine/main.ts");
    expect(engine.size).toBeGreaterThan(150);
    expect(engine).toContain("machines/viz/graph.ts");
    expect(engine).not.toContain("elkjs");
    expect(loadedWith("engine/charts/draw.ts")).toContain("elkjs");
  });
});
