import type { HandsetProps } from "./handset-view.tsx";

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"] as const;
const NAMES: Readonly<Record<string, string>> = { "*": "star", "#": "hash" };

export function Keypad({ handset, state }: HandsetProps) {
  const ready = state.phase === "in-call";
  const takes = state.role === "on-call" && ready;
  return (
    <>
      <div class="keypad" role="group" aria-label="Keypad">
        {KEYS.map((key) => (
          <button
            key={key}
            type="button"
            aria-label={NAMES[key] ?? key}
            disabled={!ready}
            onClick={() => handset.press(key)}
          >
            {key}
          </button>
        ))}
      </div>
      {takes && (
        <p class="keys">
          When asked: <kbd>1</kbd> takes the call, <kbd>2</kbd> declines, <kbd>3</kbd> speaks with the AI
          first. In the room: <kbd>*</kbd> hands back.
        </p>
      )}
    </>
  );
}
