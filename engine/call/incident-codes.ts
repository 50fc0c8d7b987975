/** Letters that are not easily taken for another letter or for a digit; and digits, which come second. */
const LETTERS = "ACDEFHJKLMNPRTUVWXY";
const DIGITS = "23456789";

/**
 * Short names of incidents for texts: a letter and a digit, no two open incidents alike. When all are in use
 * (152), further ones get a second digit, and so on. They go round, so that one is not soon given again; also not by
 * the next engine, which begins elsewhere: whoever answers an old text must not take what has its code now.
 */
export class IncidentCodes {
  readonly #codes = new Map<string, string>();
  readonly #used = new Set<string>();
  /** How many are in use, by their digits. */
  readonly #inUse = new Map<number, number>();
  #next: number;

  /** `nowMs`: wall clock. */
  constructor(nowMs: number) {
    this.#next = Math.floor(nowMs / 1000);
  }

  of(callSid: string, incident: number): string {
    const key = `${callSid}/${incident}`;
    const known = this.#codes.get(key);
    if (known !== undefined) return known;
    return this.#take(key, this.#free());
  }

  /** The code of an incident, if it has one. */
  known(callSid: string, incident: number): string | null {
    return this.#codes.get(`${callSid}/${incident}`) ?? null;
  }

  /** The incident goes on under the code that another engine gave to it, which nobody else has yet. */
  resume(callSid: string, incident: number, code: string): void {
    const key = `${callSid}/${incident}`;
    if (!this.#codes.has(key) && !this.#used.has(code)) this.#take(key, code);
  }

  /** The incident is over: somebody else may have its code. */
  release(callSid: string, incident: number): void {
    const key = `${callSid}/${incident}`;
    const code = this.#codes.get(key);
    this.#codes.delete(key);
    if (code === undefined) return;
    this.#used.delete(code);
    this.#count(code, -1);
  }

  #take(key: string, code: string): string {
    this.#codes.set(key, code);
    this.#used.add(code);
    this.#count(code, 1);
    return code;
  }

  #free(): string {
    for (let digits = 1; ; digits++) {
      const size = LETTERS.length * DIGITS.length ** digits;
      if ((this.#inUse.get(digits) ?? 0) >= size) continue;
      for (;;) {
        const code = codeOf(this.#next++ % size, digits);
        if (!this.#used.has(code)) return code;
      }
    }
  }

  #count(code: string, change: 1 | -1): void {
    const digits = code.length - 1;
    this.#inUse.set(digits, (this.#inUse.get(digits) ?? 0) + change);
  }
}

function codeOf(n: number, digits: number): string {
  let rest = n;
  let text = "";
  for (let i = 0; i < digits; i++) {
    text = `${DIGITS[rest % DIGITS.length] ?? ""}${text}`;
    rest = Math.floor(rest / DIGITS.length);
  }
  return `${LETTERS[rest % LETTERS.length] ?? ""}${text}`;
}
