/** A machine's drawing, with the states it is in and the edges it went by. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { TakenEdge } from "../../audit/observer.ts";
import { pause } from "../../platform/clock.ts";
import { clock, textOf } from "./page.ts";

export interface ChartProps {
  /** Of the machines, as the log of the call names them. */
  readonly hash: string;
  readonly machine: string;
  /** Ids of the states that are active. */
  readonly active: readonly string[];
  /** Those that were taken last. */
  readonly edges: readonly TakenEdge[];
  /** How many calls are in which state; for the chart of all of them. */
  readonly counts?: ReadonlyMap<string, number>;
}

/** With smaller letters nobody reads them. */
const SMALLEST = 0.75;

type Theme = "light" | "dark";

/** Drawings that were fetched: a machine's drawing never changes under its hash. */
const fetched = new Map<string, Promise<string>>();

function drawingOf(hash: string, machine: string, theme: Theme): Promise<string> {
  const url = `/api/machines/${hash}/${machine}.svg?theme=${theme}`;
  let text = fetched.get(url);
  if (!text) {
    text = fetchPatiently(url);
    text.catch(() => fetched.delete(url));
    fetched.set(url, text);
  }
  return text;
}

const TRIES = 20;
const AGAIN_MS = 2000;

/** A drawing that is made for the first time takes some seconds, and until then the engine is busy with it. */
async function fetchPatiently(url: string): Promise<string> {
  for (let tries = 1; ; tries++) {
    const response = await fetch(url);
    if (response.ok) return await response.text();
    if (response.status !== 503 || tries === TRIES) {
      throw new Error(`the drawing is not there (${response.status})`);
    }
    await pause(clock, AGAIN_MS);
  }
}

export function Chart({ hash, machine, active, edges, counts }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const theme = useTheme();
  const [problem, setProblem] = useState<string | null>(null);
  const [drawn, setDrawn] = useState(0);
  /** `null`: as wide as the box, as long as its letters can be read. */
  const [zoom, setZoom] = useState<number | null>(null);
  useEffect(() => {
    let wanted = true;
    drawingOf(hash, machine, theme).then(
      (text) => {
        if (!wanted || !box.current) return;
        box.current.replaceChildren(inlined(text));
        setProblem(null);
        setDrawn((times) => times + 1);
      },
      (error: unknown) => {
        if (!wanted) return;
        // What is there is another machine.
        box.current?.replaceChildren();
        setProblem(textOf(error));
      },
    );
    return () => {
      wanted = false;
    };
  }, [hash, machine, theme]);
  useEffect(() => {
    const svg = box.current?.querySelector("svg");
    if (!svg) return;
    const [, , width = 900, height = 600] = (svg.getAttribute("viewBox") ?? "").split(/\s+/).map(Number);
    const wide = (box.current?.clientWidth ?? width) / width;
    const scale = zoom ?? Math.min(1, Math.max(SMALLEST, wide));
    svg.setAttribute("width", String(Math.floor(width * scale)));
    svg.setAttribute("height", String(Math.floor(height * scale)));
  }, [drawn, zoom]);
  useEffect(() => {
    if (box.current) light(box.current, active, edges);
  }, [drawn, active.join(" "), edges.map(keyOf).join(" ")]);
  useEffect(() => {
    if (box.current && counts) count(box.current, counts);
  }, [drawn, counts]);
  return (
    <figure class="chart-box" data-testid={`chart-${machine}`}>
      <div class="zoom" role="group" aria-label="Size of the chart">
        <button type="button" onClick={() => setZoom(Math.max(0.3, (zoom ?? 1) / 1.25))} aria-label="Smaller">
          −
        </button>
        <button type="button" onClick={() => setZoom(Math.min(2.5, (zoom ?? 1) * 1.25))} aria-label="Larger">
          +
        </button>
      </div>
      {problem && <p class="hint">No chart: {problem}. The states are told in words.</p>}
      <div
        ref={box}
        class="drawing"
        role="region"
        tabIndex={0}
        aria-label={`Chart of the ${machine} machine`}
      />
    </figure>
  );
}

/**
 * The drawing as an element of this page. Its style sheet is taken out and handed to the page as an object: the
 * policy lets no style in that stands in the text.
 */
function inlined(text: string): Element {
  const styles: string[] = [];
  const bare = text.replace(/<style>([\s\S]*?)<\/style>/g, (_whole, css: string) => {
    styles.push(css);
    return "";
  });
  adopt(styles.join("\n"));
  const svg = document.importNode(
    new DOMParser().parseFromString(bare, "image/svg+xml").documentElement,
    true,
  );
  for (const script of svg.querySelectorAll("script, foreignObject")) script.remove();
  return svg;
}

const sheet = new CSSStyleSheet();
let adopted = "";

/** All drawings of a theme have the same style. */
function adopt(css: string): void {
  if (css === adopted) return;
  sheet.replaceSync(css);
  if (adopted === "") document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  adopted = css;
}

function light(box: Element, active: readonly string[], edges: readonly TakenEdge[]): void {
  for (const old of box.querySelectorAll(".is-active, .is-taken, .is-innermost")) {
    old.classList.remove("is-active", "is-taken", "is-innermost");
  }
  let innermost: Element | null = null;
  for (const id of active) {
    for (const node of box.querySelectorAll(`[data-state="${CSS.escape(id)}"]`)) {
      node.classList.add("is-active");
      if (active.some((other) => other.startsWith(`${id}.`))) continue;
      node.classList.add("is-innermost");
      innermost ??= node;
    }
  }
  for (const edge of edges) {
    const taken = [`[data-edge="${CSS.escape(keyOf(edge))}"]`, ...linksOf(edge)].join(", ");
    for (const node of box.querySelectorAll(taken)) node.classList.add("is-taken");
  }
  if (innermost) show(box, innermost);
}

function keyOf({ source, event, index }: TakenEdge): string {
  return `${source}|${event}|${index}`;
}

/** An edge from one top state into another is drawn as a line between the two, beside its own words. */
function linksOf({ source, targets }: TakenEdge): string[] {
  const top = (id: string): string => id.split(".").slice(0, 2).join(".");
  return targets
    .filter((target) => top(target) !== top(source))
    .map((target) => `[data-link="${CSS.escape(`${top(source)}>${top(target)}`)}"]`);
}

/** Scrolls the box, not the page, until the state is in its middle. */
function show(box: Element, node: Element): void {
  const [outer, inner] = [box.getBoundingClientRect(), node.getBoundingClientRect()];
  const isSeen = inner.top >= outer.top && inner.bottom <= outer.bottom;
  if (isSeen) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  box.scrollBy({
    top: inner.top - outer.top - Math.max(20, (outer.height - inner.height) / 2),
    left: inner.left - outer.left - Math.max(20, (outer.width - inner.width) / 2),
    behavior: calm ? "auto" : "smooth",
  });
}

const SVG = "http://www.w3.org/2000/svg";

/** A number at the corner of each state that calls are in. The first of these is shown when it is another than before. */
function count(box: Element, counts: ReadonlyMap<string, number>): void {
  const before = box.querySelector("[data-state].is-active");
  for (const old of box.querySelectorAll(".calls-here")) old.remove();
  for (const node of box.querySelectorAll("[data-state]")) {
    const calls = counts.get(node.getAttribute("data-state") ?? "") ?? 0;
    node.classList.toggle("is-active", calls > 0);
    const frame = node.querySelector("rect");
    if (calls === 0 || !frame) continue;
    const [x = 0, y = 0, width = 0] = ["x", "y", "width"].map((name) =>
      Number(frame.getAttribute(name) ?? 0),
    );
    const badge = document.createElementNS(SVG, "g");
    badge.setAttribute("class", "calls-here");
    badge.setAttribute("transform", `translate(${x + width - 4} ${y + 2})`);
    const [dot, text] = [document.createElementNS(SVG, "rect"), document.createElementNS(SVG, "text")];
    const wide = 12 + 6 * String(calls).length;
    for (const [name, value] of [
      ["x", -wide],
      ["y", -8],
      ["width", wide],
      ["height", 17],
      ["rx", 8],
    ] as const) {
      dot.setAttribute(name, String(value));
    }
    text.setAttribute("x", String(-wide / 2));
    text.setAttribute("y", "4");
    text.setAttribute("text-anchor", "middle");
    text.textContent = String(calls);
    badge.append(dot, text);
    node.append(badge);
  }
  const first = box.querySelector("[data-state].is-active");
  if (first && first !== before) show(box, first);
}

function useTheme(): Theme {
  const dark = "(prefers-color-scheme: dark)";
  const [theme, setTheme] = useState<Theme>(() => (matchMedia(dark).matches ? "dark" : "light"));
  useEffect(() => {
    const query = matchMedia(dark);
    const look = (): void => setTheme(query.matches ? "dark" : "light");
    query.addEventListener("change", look);
    return () => query.removeEventListener("change", look);
  }, []);
  return theme;
}
