import type { Clock } from "../ports.ts";
import type { TextedPage } from "./escalations-view.ts";

export type Text = Omit<TextedPage, "standing">;
type PageName = Pick<Text, "callSid" | "label">;

/** The text of one page, however often it was tried. */
export const isSameText = (a: PageName, b: PageName): boolean =>
  a.callSid === b.callSid && a.label === b.label;

/** How long a text is answered to. */
const KEPT_MS = 24 * 3_600_000;
const MAX_PER_NUMBER = 50;
const MAX_NUMBERS = 10_000;

/** Which pages were sent to which number, so that a reply finds its incident. The oldest are forgotten first. */
export class TextedPages {
  readonly #clock: Clock;
  readonly #onForgotten: () => void;
  /** By number, the one texted longest ago first; the texts of each, newest first. */
  readonly #texts = new Map<string, readonly Text[]>();

  constructor(clock: Clock, onForgotten: () => void) {
    this.#clock = clock;
    this.#onForgotten = onForgotten;
  }

  add(number: string, text: Text): void {
    // One of a call that another engine had before may come after younger ones.
    const others = this.to(number).filter((each) => !isSameText(each, text));
    const texts = [text, ...others].toSorted((a, b) => b.atMs - a.atMs);
    if (texts.length > MAX_PER_NUMBER) this.#onForgotten();
    this.#texts.delete(number);
    this.#texts.set(number, texts.slice(0, MAX_PER_NUMBER));
    for (const [oldest, [newest]] of this.#texts) {
      const expired = newest === undefined || newest.atMs <= this.#clock.now() - KEPT_MS;
      if (!expired && this.#texts.size <= MAX_NUMBERS) return;
      if (!expired) this.#onForgotten();
      this.#texts.delete(oldest);
    }
  }

  /** Newest first. */
  to(number: string): readonly Text[] {
    const before = this.#clock.now() - KEPT_MS;
    return (this.#texts.get(number) ?? []).filter((text) => text.atMs > before);
  }
}
