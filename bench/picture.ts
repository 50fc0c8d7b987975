/** Draws latency histograms as one SVG: a row a series over one logarithmic axis of time. */
import { PICTURE_EDGES_MS, type Picture, type PictureSeries } from "./runner.ts";

const WIDTH = 860;
const LEFT = 250;
const RIGHT = 24;
const TOP = 54;
const ROW = 64;
const BAR_MAX = 46;
const FOOT = 34;
const TICKS_MS = [0.01, 0.1, 1, 10, 100, 1000, 10_000];

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #2b3646 }
  .page { fill: #fff } .title { font-size: 15px; font-weight: 600; fill: #18202b }
  .small { font-size: 11px; fill: #5d6979 } .grid { stroke: #dfe5ec } .base { stroke: #8492a4 }
  .c0 { fill: #2f7fd1 } .c1 { fill: #c77d0a } .c2 { fill: #2f9a68 } .c3 { fill: #8a5fd0 } .c4 { fill: #c2485a }
  .mark { stroke: #18202b; stroke-dasharray: 3 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #c3ccd8 } .page { fill: #0f141a } .title { fill: #eef2f7 } .small { fill: #93a0b0 }
    .grid { stroke: #242c36 } .base { stroke: #566273 } .mark { stroke: #eef2f7 }
  }`;
const COLOURS = 5;

export function drawPicture(picture: Picture): string {
  const { title, series } = picture;
  const [from, to] = range(series);
  const height = TOP + series.length * ROW + FOOT;
  const foot = height - FOOT;
  const grid = TICKS_MS.filter((ms) => ms >= from && ms <= to).map((ms) => {
    const x = px(xOf(ms, from, to));
    return `<line class="grid" x1="${x}" x2="${x}" y1="${TOP - 12}" y2="${foot}"/><text class="small" x="${x}" y="${foot + 18}" text-anchor="middle">${msText(ms)}</text>`;
  });
  const rows = series.map((each, index) => rowOf(each, index, from, to));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<title>${escapeText(title)}</title>
<style>${STYLE}
</style>
<rect class="page" width="${WIDTH}" height="${height}"/>
<text class="title" x="20" y="28">${escapeText(title)}</text>
${[...grid, ...rows].join("\n")}
</svg>
`;
}

/** From the first to the last bin that anything fell into, with one to spare, on whole bins. */
function range(series: readonly PictureSeries[]): readonly [number, number] {
  let first = PICTURE_EDGES_MS.length - 1;
  let last = 0;
  for (const { counts } of series) {
    counts.forEach((count, bin) => {
      if (count === 0) return;
      first = Math.min(first, bin);
      last = Math.max(last, bin);
    });
  }
  const edge = (bin: number): number =>
    PICTURE_EDGES_MS[Math.min(Math.max(bin, 0), PICTURE_EDGES_MS.length - 1)] as number;
  return [edge(first - 2), edge(Math.max(last + 1, first + 6))];
}

function rowOf(series: PictureSeries, index: number, from: number, to: number): string {
  const { name, counts } = series;
  const base = TOP + (index + 1) * ROW - 8;
  const most = Math.max(1, ...counts);
  const bars = counts.flatMap((count, bin) => {
    if (count === 0) return [];
    const left = xOf(PICTURE_EDGES_MS[Math.max(0, bin - 1)] as number, from, to);
    const right = xOf(PICTURE_EDGES_MS[Math.min(bin, PICTURE_EDGES_MS.length - 1)] as number, from, to);
    const height = Math.max(1, (count / most) * BAR_MAX);
    return `<rect x="${px(left)}" y="${px(base - height)}" width="${px(Math.max(1, right - left - 1))}" height="${px(height)}"/>`;
  });
  const p50 = quantileOf(counts, 0.5);
  const p99 = quantileOf(counts, 0.99);
  const x99 = px(xOf(p99, from, to));
  return `<text x="20" y="${base - 20}">${escapeText(name)}</text>
<text class="small" x="20" y="${base - 4}">p50 ${msText(p50)} · p99 ${msText(p99)} · ${counts.reduce((sum, n) => sum + n, 0)} samples</text>
<line class="base" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${base}" y2="${base}"/>
<g class="c${index % COLOURS}">${bars.join("")}</g>
<line class="mark" x1="${x99}" x2="${x99}" y1="${base - BAR_MAX}" y2="${base}"/>`;
}

/** Upper edge of the bin that holds the quantile. */
function quantileOf(counts: readonly number[], q: number): number {
  const total = counts.reduce((sum, n) => sum + n, 0);
  let seen = 0;
  for (const [bin, count] of counts.entries()) {
    seen += count;
    if (seen >= total * q && seen > 0)
      return PICTURE_EDGES_MS[Math.min(bin, PICTURE_EDGES_MS.length - 1)] as number;
  }
  return 0;
}

function xOf(ms: number, from: number, to: number): number {
  const share = Math.log(ms / from) / Math.log(to / from);
  return LEFT + Math.min(1, Math.max(0, share)) * (WIDTH - LEFT - RIGHT);
}

function msText(ms: number): string {
  if (ms >= 1000) return `${Number((ms / 1000).toPrecision(2))} s`;
  return ms >= 0.999 ? `${Number(ms.toPrecision(2))} ms` : `${Number((ms * 1000).toPrecision(2))} µs`;
}

function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
