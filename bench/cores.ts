/** Which processor core does what: two ends that take turns on one core would time each other. */

/** Cores that this process may run on; empty where `taskset` is not to be had. */
export function usableCores(): readonly number[] {
  if (Bun.which("taskset") === null) return [];
  const asked = Bun.spawnSync(["taskset", "-c", "-p", String(process.pid)], { stderr: "ignore" });
  const list = asked.success ? asked.stdout.toString().split(":").at(-1) : undefined;
  return list === undefined ? [] : coresIn(list);
}

/** Reads a list such as `0,2-4`. */
export function coresIn(list: string): readonly number[] {
  return list.split(",").flatMap((part) => {
    const [first = Number.NaN, last = first] = part.split("-").map(Number);
    return first <= last ? Array.from({ length: last - first + 1 }, (_, i) => first + i) : [];
  });
}

/** `command` on this core alone; as it is with `null`. */
export function onCore(core: number | null, command: readonly string[]): string[] {
  return core === null ? [...command] : ["taskset", "-c", String(core), ...command];
}

/** Moves this process, with all its threads, to these cores. */
export function moveTo(cores: readonly number[]): void {
  move(cores, ["-a"]);
}

/** Moves the main thread, and what it starts from now on, to one core, and all other threads of this process to another. */
export function moveLoopApart(loopCore: number, otherCore: number): void {
  moveTo([otherCore]);
  move([loopCore], []);
}

function move(cores: readonly number[], flags: readonly string[]): void {
  Bun.spawnSync(["taskset", ...flags, "-c", "-p", cores.join(","), String(process.pid)], {
    stdout: "ignore",
    stderr: "ignore",
  });
}
