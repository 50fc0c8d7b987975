import { useState } from "preact/hooks";
import type { HandsetProps } from "./handset-view.tsx";

/** One press each, for what the sandbox's model has something to say to. */
const PHRASES = {
  caller: [
    "Can I speak to the nurse on call, please?",
    "My chest hurts.",
    "When do you open tomorrow?",
    "Thank you, goodbye.",
  ],
  "on-call": ["Hello, this is the nurse on call. What is the matter?", "Where does it hurt?"],
} as const;
const MAX_TEXT = 500;

/** Speech for those without a microphone: the sandbox's voice says what is typed. */
export function SpeechBox({ handset, state }: HandsetProps) {
  const [text, setText] = useState("");
  const { role, phase, saying } = state;
  const ready = phase === "in-call";
  const say = (event: Event): void => {
    event.preventDefault();
    if (text.trim() === "") return;
    void handset.say(text.trim());
    setText("");
  };
  return (
    <form class="speech" onSubmit={say}>
      <label for={`${role}-text`}>Say by typing{saying > 0 && <i> · speaking…</i>}</label>
      <div class="line">
        <input
          id={`${role}-text`}
          maxLength={MAX_TEXT}
          autoComplete="off"
          placeholder={ready ? "What do you want to say?" : "Once you are on the line"}
          disabled={!ready}
          value={text}
          onInput={(event) => setText((event.currentTarget as HTMLInputElement).value)}
        />
        <button disabled={!ready}>Say</button>
      </div>
      {ready && (
        <div class="phrases">
          {PHRASES[role].map((phrase) => (
            <button key={phrase} type="button" onClick={() => void handset.say(phrase)}>
              {phrase}
            </button>
          ))}
        </div>
      )}
    </form>
  );
}
