/** Where JSON text breaks; line and column count from 1. */
export interface JsonMistake {
  readonly line: number;
  readonly column: number;
  readonly problem: string;
}

const SCALAR = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/y;
// oxlint-disable-next-line no-control-regex -- JSON forbids exactly these characters in a string.
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\dA-Fa-f]{4}))*"/y;
const SPACE = /[ \t\r\n]*/y;

/**
 * Finds the first mistake in JSON text: `JSON.parse` here names no position. `null` when there is none. Never
 * quotes the text, which may hold what should not be shown.
 */
export function findJsonMistake(text: string): JsonMistake | null {
  let index = 0;
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = index;
    if (!pattern.test(text)) return false;
    index = pattern.lastIndex;
    return true;
  };
  const fail = (problem: string): JsonMistake => {
    const before = text.slice(0, index);
    const found = index >= text.length ? `${problem}, but the file ends` : problem;
    return { line: before.split("\n").length, column: index - before.lastIndexOf("\n"), problem: found };
  };

  /** Closing brackets of what is open, innermost last. */
  const open: string[] = [];
  let expectValue = true;
  let mayClose = false;
  for (;;) {
    take(SPACE);
    if (expectValue) {
      const closing = open.at(-1);
      if (mayClose && closing !== undefined && text[index] === closing) {
        expectValue = false;
        continue;
      }
      if (closing === "}") {
        if (!take(STRING)) return fail("a key in double quotes is expected");
        take(SPACE);
        if (text[index] !== ":") return fail("a colon is expected");
        index++;
        take(SPACE);
      }
      const bracket = text[index];
      if (bracket === "{" || bracket === "[") {
        open.push(bracket === "{" ? "}" : "]");
        index++;
        mayClose = true;
        continue;
      }
      if (!take(STRING) && !take(SCALAR)) return fail("a value is expected");
      expectValue = false;
      continue;
    }
    const closing = open.at(-1);
    if (closing === undefined) return index === text.length ? null : fail("nothing more is expected");
    if (text[index] === ",") {
      index++;
      [expectValue, mayClose] = [true, false];
    } else if (text[index] === closing) {
      index++;
      open.pop();
    } else return fail(`a comma or ${closing} is expected`);
  }
}
