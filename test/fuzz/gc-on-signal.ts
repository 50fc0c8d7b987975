/**
 * Loaded into an engine's process before the engine: on `SIGUSR2` it collects garbage and tells on standard error
 * what is left, so that growth is told from garbage that nobody had to collect yet.
 */
import { heapStats } from "bun:jsc";
import { readdirSync } from "node:fs";

export const MEMORY_LINE = "fuzz.memory ";

/** Bytes and counts of one process after a collection. */
export interface Memory {
  readonly rssBytes: number;
  readonly heapBytes: number;
  readonly timers: number;
  readonly descriptors: number;
}

process.on("SIGUSR2", () => {
  Bun.gc(true);
  const { heapSize, objectTypeCounts } = heapStats();
  const memory: Memory = {
    rssBytes: process.memoryUsage.rss(),
    heapBytes: heapSize,
    timers: objectTypeCounts["Timeout"] ?? 0,
    descriptors: readdirSync("/proc/self/fd").length,
  };
  process.stderr.write(`${MEMORY_LINE}${JSON.stringify(memory)}\n`);
});
