/**
 * The style sheet inside each SVG: light, and dark where the reader's system asks for it. Colours are plain
 * values in classes, not variables, which some renderers of SVG files do not know.
 */

interface Hue {
  readonly fill: string;
  readonly line: string;
  readonly text: string;
}

/** One for each top-level state, in order; a machine with more begins again. */
const LIGHT: readonly Hue[] = [
  { fill: "#e8f1fb", line: "#7fb0e3", text: "#17548f" },
  { fill: "#e4f5ec", line: "#6fbf95", text: "#135c3a" },
  { fill: "#fdf0dc", line: "#e2ac54", text: "#80500a" },
  { fill: "#f1eafb", line: "#b094de", text: "#5a3494" },
  { fill: "#e2f4f5", line: "#66b9be", text: "#0f585d" },
  { fill: "#fbe9ea", line: "#e0929a", text: "#8c2a35" },
  { fill: "#eceff3", line: "#98a2b0", text: "#3c4653" },
];
const DARK: readonly Hue[] = [
  { fill: "#15273b", line: "#4a7fb8", text: "#9dc8f5" },
  { fill: "#12291f", line: "#3f8f6a", text: "#8fdcb5" },
  { fill: "#302410", line: "#a67a30", text: "#f1c67d" },
  { fill: "#251c38", line: "#8064b5", text: "#cdb4f5" },
  { fill: "#10292b", line: "#388b91", text: "#85d6db" },
  { fill: "#331b1f", line: "#ab606b", text: "#f3aab2" },
  { fill: "#1f252d", line: "#667383", text: "#c3ccd8" },
];
export const HUES = LIGHT.length;

interface Palette {
  readonly page: string;
  readonly box: string;
  readonly strong: string;
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  readonly hues: readonly Hue[];
}

const light: Palette = {
  page: "#ffffff",
  box: "#ffffff",
  strong: "#18202b",
  text: "#2b3646",
  muted: "#5d6979",
  line: "#8492a4",
  hues: LIGHT,
};
const dark: Palette = {
  page: "#0d1117",
  box: "#161c25",
  strong: "#eef2f7",
  text: "#d3dbe6",
  muted: "#98a4b3",
  line: "#6c7a8c",
  hues: DARK,
};

const FONT =
  "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Noto Sans', 'DejaVu Sans', sans-serif";

const shapes = `
.chart text { font-family: ${FONT}; font-size: 10.5px; }
.chart .heading { font-size: 17px; font-weight: 700; }
.chart .panel-name { font-size: 15px; font-weight: 700; }
.chart .name { font-size: 12.5px; font-weight: 700; }
.chart .note { font-size: 10px; }
.chart .event { font-weight: 600; }
.chart .guard { font-style: italic; }
.chart .word { font-weight: 400; }
.chart .state > rect { stroke-width: 1.2; }
.chart .region > rect { stroke-dasharray: 5 4; }
.chart .line { fill: none; stroke-width: 1.3; }
.chart .link .line { stroke-width: 1.8; }
.chart .anywhere rect { stroke-dasharray: 3 4; }
.chart .twin .line, .chart .twin .head { opacity: 0; }
.chart .glyph { fill: none; stroke-width: 1.2; stroke-linecap: round; stroke-linejoin: round; }
`;

const colours = (palette: Palette): string => `
.chart .page, .chart .ground { fill: ${palette.page}; }
.chart .anywhere rect { fill: none; stroke: ${palette.line}; }
.chart .heading, .chart .name, .chart .panel-name { fill: ${palette.strong}; }
.chart .event, .chart .guard, .chart .source, .chart .reason { fill: ${palette.text}; }
.chart .note, .chart .action, .chart .word { fill: ${palette.muted}; }
.chart .state > rect { fill: ${palette.box}; stroke: ${palette.line}; }
.chart .line, .chart .glyph { stroke: ${palette.line}; }
.chart .head, .chart .dot { fill: ${palette.line}; }
.chart .knock, .chart .knock-box { fill: ${palette.box}; }
${palette.hues.map((hue, index) => hueRules(hue, index)).join("")}`;

const hueRules = ({ fill, line, text }: Hue, index: number): string => `
.chart .panel.h${index} > rect, .chart .chip.h${index} rect { fill: ${fill}; stroke: ${line}; }
.chart .panel.h${index} > .panel-name, .chart .chip.h${index} text { fill: ${text}; }
.chart .h${index} .knock { fill: ${fill}; }
.chart .link.h${index} .line { stroke: ${line}; }
.chart .link.h${index} .head { fill: ${line}; }
`;

const tidy = (css: string): string =>
  css
    .split("\n")
    .filter((line) => line !== "")
    .join("\n");

export type Theme = "light" | "dark";

/** The whole sheet, for a `<style>` element; without a theme it is the reader's system that chooses. */
export function styleSheet(theme?: Theme): string {
  if (theme !== undefined) return `${tidy(shapes)}\n${tidy(colours(theme === "light" ? light : dark))}`;
  return `${tidy(shapes)}\n${tidy(colours(light))}\n@media (prefers-color-scheme: dark) {\n${tidy(colours(dark))}\n}`;
}

/** A drawing, whichever theme it was made in, in this one. */
export const inTheme = (svg: string, theme: Theme): string =>
  svg.replace(
    /(<style>\n)[^<]*(\n<\/style>)/,
    (_, open: string, close: string) => open + styleSheet(theme) + close,
  );
