/** Changes to values, texts, objects and bytes: what a broken sender or a hostile one might send. */
import type { Dice } from "../sim/dice.ts";

/** Whatever comes back with this as an element or an attribute was not escaped. */
export const INJECTED = "Injected";

const HUGE = [255, 257, 1000, 4097, 16_001, 30_000, 70_000];

/** Values that mean something to some part of what reads them. */
const SCRAPS: readonly string[] = [
  "",
  " ",
  "0",
  "-1",
  "1e999",
  "NaN",
  "null",
  "undefined",
  "true",
  "[object Object]",
  "__proto__",
  "constructor",
  "toString",
  `"/><${INJECTED}/><x y="`,
  `</Say></Response><${INJECTED}/>`,
  `" ${INJECTED}="1`,
  `]]><${INJECTED}/>`,
  `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>`,
  `<!--<${INJECTED}/>-->`,
  "&amp;lt;",
  "\r\nX-Injected: 1\r\n\r\n",
  "\n\r\t\u0000\u0001\u001f\u007f\u0085\u2028",
  "\ufeff\ufffe\uffff",
  "\ud800",
  "\udc00x",
  "𝄞é\u202e",
  "'; DROP TABLE calls; --",
  "%00%0d%0a%",
  "../../../../etc/passwd",
  "{{7*7}}${7*7}",
  "http://169.254.169.254/latest/meta-data/",
  "+15550142",
  "client:x",
  "sip:x@127.0.0.1",
  "CA00000000000000000000000000000000",
  "9".repeat(40),
];

export function scrap(dice: Dice): string {
  if (dice.chance(0.1)) return "A<\"'&\u0000é".charAt(dice.between(0, 6)).repeat(oneOf(dice, HUGE));
  return oneOf(dice, SCRAPS);
}

export function oneOf<T>(dice: Dice, all: readonly T[]): T {
  return all[dice.between(0, all.length - 1)] as T;
}

export function mangleText(dice: Dice, text: string): string {
  const at = dice.between(0, text.length);
  const change = dice.between(0, 6);
  if (change === 0) return scrap(dice);
  if (change === 1) return text.slice(0, at);
  if (change === 2) return text.slice(at);
  if (change === 3) return text.slice(0, at) + scrap(dice) + text.slice(at);
  if (change === 4) return text.slice(0, at) + text.slice(at + 1);
  if (change === 5) return text + text;
  const code = (text.charCodeAt(at) || 0) ^ (1 << dice.between(0, 7));
  return text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1);
}

export function mangleBytes(dice: Dice, bytes: Uint8Array): Buffer {
  const out = Buffer.from(bytes);
  const at = dice.between(0, Math.max(0, out.length - 1));
  const change = dice.between(0, 4);
  if (change === 0) return out.subarray(0, at);
  if (change === 1) return Buffer.concat([out.subarray(0, at), out.subarray(at + 1)]);
  if (change === 2)
    return Buffer.concat([out.subarray(0, at), Buffer.from(scrap(dice), "utf8"), out.subarray(at)]);
  if (change === 3) return Buffer.concat([out.subarray(0, at), randomBytes(dice), out.subarray(at)]);
  if (out.length > 0) out[at] = (out[at] as number) ^ (1 << dice.between(0, 7));
  return out;
}

export function randomBytes(dice: Dice): Buffer {
  return Buffer.from(dice.times(dice.between(0, 64), () => dice.between(0, 255)));
}

/** A value of another kind than one would expect. */
function oddValue(dice: Dice): unknown {
  const scraps: readonly unknown[] = [
    null,
    true,
    0,
    -1,
    1.5,
    1e308,
    Number.MAX_SAFE_INTEGER,
    [],
    {},
    [null],
    { toString: 1 },
    [[[[[[[[]]]]]]]],
  ];
  return dice.chance(0.5) ? scrap(dice) : oneOf(dice, scraps);
}

/** Changes one place somewhere in what JSON can hold; what it was stays as it is. */
export function mangleJson(dice: Dice, value: unknown): unknown {
  if (typeof value !== "object" || value === null || dice.chance(0.08)) {
    if (typeof value === "string" && dice.chance(0.5)) return mangleText(dice, value);
    return oddValue(dice);
  }
  if (Array.isArray(value)) {
    if (value.length === 0 || dice.chance(0.2)) return [...(value as unknown[]), oddValue(dice)];
    const at = dice.between(0, value.length - 1);
    return (value as unknown[]).map((each, i) => (i === at ? mangleJson(dice, each) : each));
  }
  const entries = Object.entries(value);
  if (entries.length === 0 || dice.chance(0.1)) return { ...value, [scrap(dice)]: oddValue(dice) };
  const [name, inner] = oneOf(dice, entries);
  const { [name]: _left, ...rest } = value as Record<string, unknown>;
  if (dice.chance(0.15)) return rest;
  if (dice.chance(0.08)) return { ...rest, [mangleText(dice, name)]: inner };
  return { ...rest, [name]: mangleJson(dice, inner) };
}

/** JSON text, at times with members that repeat, lead to a prototype, nest without end, or are huge. */
export function oddJson(dice: Dice, value: unknown): string {
  const text = JSON.stringify(value) ?? "";
  const change = dice.between(0, 30);
  if (change === 0) return `${"[".repeat(20_000)}${"]".repeat(20_000)}`;
  if (change === 1) return text.replace("{", '{"__proto__":{"polluted":1},"constructor":{"prototype":1},');
  if (change === 2) return text.replace("{", `{"${"x".repeat(dice.between(1, 70_000))}":1,`);
  if (change <= 6) return mangleText(dice, text);
  if (change === 7) return text.replace("{", '{"event":"stop","type":"error",');
  return text;
}

/** For people: short, and on one line. */
export function shown(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : (JSON.stringify(value) ?? "");
  return text.length > 1500 ? `${text.slice(0, 1500)}… (${text.length} characters)` : text;
}
