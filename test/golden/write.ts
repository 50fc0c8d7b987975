/**
 * `bun test/golden/write.ts && bun fmt`: writes the snapshots of this version's machines into a folder of its own, named by
 * their hash. Those of earlier versions stay: there may be calls that stand like that.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MACHINE_HASH } from "../../engine/call/machine-hash.ts";
import { SCENES, snapshotOf } from "./scenes.ts";

const folder = join(import.meta.dir, MACHINE_HASH.slice(0, 12));
mkdirSync(folder, { recursive: true });
for (const [name, scene] of Object.entries(SCENES)) {
  const { body, ...head } = await snapshotOf(scene);
  const golden = { ...head, state: scene.state, body: JSON.parse(body ?? "null") as unknown };
  const text = JSON.stringify(golden, null, 2);
  writeFileSync(join(folder, `${name}.json`), `${text}\n`);
}
process.stdout.write(`${folder}\n`);
