/** What came of the response of the moment besides its events: whether anybody heard it, and what is to be taken back. */
import { RecentMap } from "../../engine/platform/recent-map.ts";
import type { ServerItem } from "./server-events.ts";

/** Items of one response; it has one or two. */
const MAX_ITEMS = 16;

export class Said {
  #spokenOf = "";
  readonly #cutOff = new RecentMap<string, string>(MAX_ITEMS);
  readonly #written = new RecentMap<string, string>(MAX_ITEMS);

  /** Speech of this response was passed on. Hot path. */
  spoke(responseId: string): void {
    this.#spokenOf = responseId;
  }

  /** Asked while the response is active, or at its end. */
  hasSpoken(responseId: string): boolean {
    return responseId === this.#spokenOf;
  }

  /** Only the beginning of this item was passed on. */
  cutOff(itemId: string): void {
    this.#cutOff.set(itemId, itemId);
  }

  /** This item is text that nobody hears. */
  wrote(itemId: string): void {
    this.#written.set(itemId, itemId);
  }

  /** Each item once, at the end of its response. */
  takeCutOff(): readonly string[] {
    return take(this.#cutOff);
  }

  takeWritten(): readonly string[] {
    return take(this.#written);
  }
}

/**
 * Whether an item of speech has words that were written. A model that was told what it said before as text, which is
 * the only way to tell it, may take to writing: https://github.com/openai/openai-realtime-api-beta/issues/72 and
 * https://github.com/livekit/agents/issues/1143.
 */
export function isWritten(item: ServerItem): boolean {
  return (item.content ?? []).some(({ type, text }) => WRITTEN.has(type) && (text ?? "").trim() !== "");
}

const WRITTEN: ReadonlySet<string> = new Set(["output_text", "text"]);

function take(items: RecentMap<string, string>): readonly string[] {
  const taken = [...items.values()];
  items.clear();
  return taken;
}
