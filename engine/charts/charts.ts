/** The charts of every version of the machines that this store's calls were run by. */
import { createHash } from "node:crypto";
import { chartHash } from "../../machines/viz/config.ts";
import { chartFrom } from "../../machines/viz/graph.ts";
import { inTheme, type Theme } from "../../machines/viz/theme.ts";
import { MACHINE_HASH } from "../call/machine-hash.ts";
import type { Store } from "../ports.ts";
import { currentDefinitions, readDefinitions } from "./definition.ts";
import type { MachineDefinition, MachineDefinitions } from "./definition.ts";
import { Drawer, type DrawerOptions } from "./drawer.ts";

export interface ChartsOptions extends DrawerOptions {
  readonly store: Pick<Store, "saveCharts" | "charts" | "chartVersions">;
}

/** The drawings that `bun run viz` made of the machines as they are in this version. */
const COMMITTED = new URL("../../docs/machines/", import.meta.url);

export class Charts {
  readonly current = MACHINE_HASH;
  readonly #options: ChartsOptions;
  readonly #drawer: Drawer;

  constructor(options: ChartsOptions) {
    this.#options = options;
    this.#drawer = new Drawer(options);
  }

  get counters(): Readonly<Record<string, number>> {
    return this.#drawer.counters;
  }

  /** Keeps the charts of this engine's machines, unless they are there. */
  save(): void {
    const { store, clock } = this.#options;
    const savedAt = new Date(clock.now()).toISOString();
    store.saveCharts({ hash: MACHINE_HASH, savedAt, body: JSON.stringify(currentDefinitions()) });
  }

  /** Hashes of all versions whose charts are kept, newest first. */
  async versions(): Promise<readonly string[]> {
    return await this.#options.store.chartVersions();
  }

  /** `null`: nothing is known of a version with this hash. */
  async definitions(hash: string): Promise<MachineDefinitions | null> {
    if (hash === MACHINE_HASH) return currentDefinitions();
    const kept = await this.#options.store.charts(hash);
    if (!kept) return null;
    const definitions = readDefinitions(kept.body);
    if (!definitions) this.#options.log.error("charts.unreadable", { hash });
    return definitions;
  }

  /**
   * The SVG of one machine of a version; without a theme the reader's system chooses. `null`: there is none.
   *
   * @throws DrawingError when it cannot be made, or not now.
   */
  async drawing(hash: string, name: string, theme?: Theme): Promise<string | null> {
    const definitions = await this.definitions(hash);
    const definition = definitions && Object.hasOwn(definitions, name) ? definitions[name] : undefined;
    if (!definition) return null;
    const svg = await this.#svgOf(name, definition);
    return theme === undefined ? svg : inTheme(svg, theme);
  }

  stop(): void {
    this.#drawer.stop();
  }

  async #svgOf(name: string, { title, root }: MachineDefinition): Promise<string> {
    const hash = chartHash(chartFrom(root), (text) => createHash("sha256").update(text).digest("hex"));
    return (await committed(name, hash)) ?? (await this.#drawer.drawing({ name, title, hash, root }));
  }
}

/** A machine that is still the same has been drawn already. */
async function committed(name: string, hash: string): Promise<string | null> {
  const file = Bun.file(new URL(`${name}.svg`, COMMITTED));
  if (!(await file.exists())) return null;
  const svg = await file.text();
  return svg.includes(`data-hash="${hash}"`) ? svg : null;
}
