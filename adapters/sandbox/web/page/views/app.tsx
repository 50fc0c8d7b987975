import type { PhonesFacts } from "../../facts.ts";
import type { Handset } from "../handset.ts";
import { HandsetView } from "./handset-view.tsx";

export interface AppProps {
  readonly facts: PhonesFacts;
  readonly caller: Handset | null;
  readonly onCall: Handset | null;
  /** Number of the person that is chosen to begin with. */
  readonly chosen: string | null;
}

export function App({ facts, caller, onCall, chosen }: AppProps) {
  return (
    <>
      <header>
        <h1>Phones</h1>
        <nav aria-label="Pages">
          {caller && onCall ? (
            <>
              <a href="/phones/caller" target="_blank">
                Caller in a tab of its own
              </a>
              <a href="/phones/on-call" target="_blank">
                On call in a tab of its own
              </a>
            </>
          ) : (
            <a href="/phones">Both on one page</a>
          )}
          {facts.consoleUrl && (
            <a href={facts.consoleUrl} target="_blank" rel="noreferrer">
              Console
            </a>
          )}
        </nav>
      </header>
      <Hint facts={facts} />
      <main class={caller && onCall ? "both" : "one"}>
        {caller && <HandsetView handset={caller} chosen={null} />}
        {onCall && <HandsetView handset={onCall} chosen={chosen} />}
      </main>
    </>
  );
}

function Hint({ facts }: { readonly facts: PhonesFacts }) {
  return (
    <details class="hint" open>
      <summary>What to try</summary>
      <ol>
        <li>
          Press <b>Call</b> and hear the AI answer. Speak over it, and it stops.
        </li>
        <li>
          On the other handset choose who you are and press <b>Be on call</b>.
        </li>
        <li>
          As the caller, {facts.understandsSpeech ? "ask for a nurse" : "type that you need a nurse"}. The
          on-call handset rings: <b>Answer</b>, then press <b>1</b>.
        </li>
        <li>As the caller, say that your chest hurts. The AI whispers to the on-call handset alone.</li>
      </ol>
      {!facts.understandsSpeech && (
        <p>
          The sandbox's own model hears that you speak, and when, but it understands words only when they are
          typed. With <code>OPENAI_API_KEY</code> set it understands what you say.
        </p>
      )}
    </details>
  );
}
