/** Numbers in what somebody says, in digits and in words. */
import { type Line, quote, type Quote } from "./transcript.ts";

const DIGITS: Readonly<Record<string, string>> = {
  zero: "0",
  oh: "0",
  o: "0",
  one: "1",
  two: "2",
  three: "3",
  four: "4",
  five: "5",
  six: "6",
  seven: "7",
  eight: "8",
  nine: "9",
  ten: "10",
  eleven: "11",
  twelve: "12",
  thirteen: "13",
  fourteen: "14",
  fifteen: "15",
  sixteen: "16",
  seventeen: "17",
  eighteen: "18",
  nineteen: "19",
};
const TENS: Readonly<Record<string, string>> = {
  twenty: "2",
  thirty: "3",
  forty: "4",
  fifty: "5",
  sixty: "6",
  seventy: "7",
  eighty: "8",
  ninety: "9",
};
const TIMES: Readonly<Record<string, number>> = { double: 2, triple: 3 };

export interface SaidNumber {
  /** Digits, with `+` before them if that was said. */
  readonly digits: string;
  readonly quote: Quote;
}

interface Run {
  readonly start: number;
  end: number;
  digits: string;
  /** The next digit is said for so many. */
  times: number;
  /** A word such as `twenty` waits for its unit. */
  tens: string | null;
}

/** Each run of digits and number words, however it is broken up. */
export function numbersIn(line: Line): readonly SaidNumber[] {
  const runs: Run[] = [];
  let run: Run | null = null;
  for (const match of line.text.matchAll(/\+|\d+|\p{L}+/gu)) {
    const word = match[0].toLowerCase();
    const plus = word === "+" || word === "plus";
    if (!plus && !isNumeral(word)) {
      run = null;
      continue;
    }
    // A comma may stand within a number that is read out; a full stop ends it.
    if (plus || run === null || /[.!?;:]\s/.test(line.text.slice(run.end, match.index))) {
      run = { start: match.index, end: match.index, digits: plus ? "+" : "", times: 1, tens: null };
      runs.push(run);
    }
    if (!plus) take(run, word);
    run.end = match.index + match[0].length;
  }
  return runs.flatMap(({ start, end, digits, tens }) => {
    const all = tens === null ? digits : `${digits}${tens}0`;
    return /\d/.test(all) ? [{ digits: all, quote: quote(line, start, end - start) }] : [];
  });
}

function isNumeral(word: string): boolean {
  return (
    /^\d+$/.test(word) ||
    Object.hasOwn(DIGITS, word) ||
    Object.hasOwn(TENS, word) ||
    Object.hasOwn(TIMES, word)
  );
}

function take(run: Run, word: string): void {
  if (Object.hasOwn(TIMES, word)) {
    run.times = TIMES[word] ?? 1;
    return;
  }
  const digits = /^\d+$/.test(word) ? word : (DIGITS[word] ?? "");
  if (run.tens !== null) {
    const unit = /^[1-9]$/.test(digits);
    run.digits += unit ? `${run.tens}${digits}` : `${run.tens}0`;
    run.tens = null;
    if (unit) return;
  }
  if (Object.hasOwn(TENS, word)) run.tens = TENS[word] ?? "";
  else run.digits += digits.repeat(run.times);
  run.times = 1;
}
