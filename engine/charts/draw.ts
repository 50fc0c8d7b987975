/** A process that makes one drawing: a machine as JSON on standard input, its SVG on standard output. */
import { chartFrom } from "../../machines/viz/graph.ts";
import { drawChart } from "../../machines/viz/svg.ts";
import { yieldToCalls } from "../platform/apart.ts";
import type { DrawingJob } from "./drawer.ts";

yieldToCalls();
const { root, ...heading } = (await Bun.stdin.json()) as DrawingJob;
process.stdout.write(await drawChart(chartFrom(root), heading));
