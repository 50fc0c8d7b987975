/** The drawings of the machines as they are on disk, kept up to date by a process for each change. */

export interface DrawnMachine {
  readonly name: string;
  readonly title: string;
  readonly hash: string;
  /** Without a style sheet of their own. */
  readonly svg: string;
  readonly overview: string;
  readonly states: readonly Part[];
  readonly edges: readonly Part[];
}

/** A state by its id or an edge by its key, and the text that a search looks through. */
interface Part {
  readonly id: string;
  readonly text: string;
}

interface Unchanged {
  readonly name: string;
  readonly title: string;
  readonly hash: string;
  readonly same: true;
}

export interface Drawings {
  readonly machines: readonly DrawnMachine[];
  /** How often they were drawn. */
  readonly revision: number;
  /** A drawing is being made. */
  readonly busy: boolean;
  /** Why the machines on disk could not be drawn; the drawings are those of before. */
  readonly problem: string | null;
}

export interface LiveMachinesOptions {
  /** Path of a script like render.ts. */
  readonly script: string;
  readonly onChange: (drawings: Drawings) => void;
}

const MAX_PROBLEM_CHARS = 8000;

/** One process at a time; changes that come while it runs are one more. */
export class LiveMachines {
  readonly #options: LiveMachinesOptions;
  #drawings: Drawings = { machines: [], revision: 0, busy: false, problem: null };
  #running: Promise<void> | null = null;
  #again = false;
  #forget = false;
  #child: Bun.Subprocess | null = null;
  #stopped = false;

  constructor(options: LiveMachinesOptions) {
    this.#options = options;
  }

  get drawings(): Drawings {
    return this.#drawings;
  }

  /** `all`: also those that are the same; they are drawn in another way now. Resolves when nothing is left to do. */
  refresh(all: boolean): Promise<void> {
    this.#again = true;
    this.#forget ||= all;
    this.#running ??= this.#run();
    return this.#running;
  }

  stop(): void {
    this.#stopped = true;
    this.#child?.kill();
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#stopped) {
      this.#again = false;
      const known = this.#forget ? [] : this.#drawings.machines;
      this.#forget = false;
      this.#tell({ ...this.#drawings, busy: true });
      await this.#draw(known);
    }
    this.#running = null;
  }

  async #draw(known: readonly DrawnMachine[]): Promise<void> {
    const hashes = JSON.stringify(Object.fromEntries(known.map(({ name, hash }) => [name, hash])));
    const child = Bun.spawn([process.execPath, this.#options.script, hashes], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#child = child;
    const [out, said, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    this.#child = null;
    if (this.#stopped) return;
    if (code !== 0) {
      const problem = said.trim().slice(0, MAX_PROBLEM_CHARS) || `the drawing ended with code ${code}`;
      this.#tell({ ...this.#drawings, busy: false, problem });
      return;
    }
    const lines = out.trim().split("\n");
    const machines = lines.flatMap((line) => merged(JSON.parse(line) as DrawnMachine | Unchanged, known));
    this.#tell({ machines, revision: this.#drawings.revision + 1, busy: false, problem: null });
  }

  #tell(drawings: Drawings): void {
    this.#drawings = drawings;
    this.#options.onChange(drawings);
  }
}

function merged(line: DrawnMachine | Unchanged, known: readonly DrawnMachine[]): DrawnMachine[] {
  if (!("same" in line)) return [line];
  const before = known.find(({ name }) => name === line.name);
  return before ? [{ ...before, title: line.title }] : [];
}
