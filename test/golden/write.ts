/**
 * `bun test/golden/write.ts && bun fmt`: writes the snapshots of this version's machines into a folder of its own, named by
 * their hash. Those of earlier versions stay: there may be calls that stand like that.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MACHINE_HASH } from "../../engine/call/machine-hash.ts";
import { AFTER_SCENES, SCENES, snapshotAfter, snapshotOf } from "./scenes.ts";

const folder = join(import.meta.dir, MACHINE_HASH.slice(0, 12));
mkdirSync(folder, { recursive: true });

function write(name: string, state: string, { body, ...head }: Awaited<ReturnType<typeof snapshotOf>>): void {
  const golden = { ...head, state, body: JSON.parse(body ?? "null") as unknown };
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(golden, null, 2)}\n`);
}

for (const [name, scene] of Object.entries(SCENES)) write(name, scene.state, await snapshotOf(scene));
for (const [name, scene] of Object.entries(AFTER_SCENES)) write(name, "ended", await snapshotAfter(scene));
process.stdout.write(`${folder}\n`);
