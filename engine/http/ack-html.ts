/** The page behind an ack link: one file without script, made for a phone. */
import { createHash } from "node:crypto";

export interface AckScreen {
  readonly title: string;
  /** Plain text, a paragraph each. */
  readonly lines: readonly string[];
  /** What may be answered: a label for the button that takes it, and for the one that does not. */
  readonly take: string | null;
  readonly decline: string | null;
}

const STYLE = `:root{color-scheme:light dark}
body{font:1.125rem/1.5 system-ui,sans-serif;max-width:28rem;margin:0 auto;padding:1.5rem}
h1{font-size:1.375rem;line-height:1.3}
button{font:inherit;display:block;width:100%;padding:1rem;margin:1rem 0;border-radius:.5rem;border:2px solid #1a5fb4}
button.take{background:#1a5fb4;color:#fff;font-weight:600}
button.decline{background:none;color:inherit;border-color:#888}`;

const STYLE_HASH = createHash("sha256").update(STYLE).digest("base64");

/** Nothing from elsewhere, nothing kept, nothing told to others, and no frame around the buttons. */
export const ACK_HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-robots-tag": "noindex, nofollow",
  "x-content-type-options": "nosniff",
};

export function ackHtml(screen: AckScreen): string {
  const lines = screen.lines.map((line) => `<p>${escaped(line)}</p>`).join("\n");
  const take = screen.take === null ? "" : `<button class="take">${escaped(screen.take)}</button>`;
  const decline =
    screen.decline === null
      ? ""
      : `<button class="decline" name="decline" value="1">${escaped(screen.decline)}</button>`;
  const form = take + decline === "" ? "" : `<form method="post">${take}${decline}</form>`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escaped(screen.title)}</title>
<style>${STYLE}</style>
<h1>${escaped(screen.title)}</h1>
${lines}
${form}
</html>
`;
}

const ENTITY: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITY[character] ?? character);
}
