/** A process that makes one drawing: a machine as JSON on standard input, its SVG on standard output. */
import { getPriority, setPriority } from "node:os";
import { chartFrom } from "../../machines/viz/graph.ts";
import { drawChart } from "../../machines/viz/svg.ts";
import type { DrawingJob } from "./drawer.ts";

/** Calls go first. */
const NICE = 10;

setPriority(Math.max(getPriority(), NICE));
const { root, ...heading } = (await Bun.stdin.json()) as DrawingJob;
process.stdout.write(await drawChart(chartFrom(root), heading));
