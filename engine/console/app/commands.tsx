/** What an operator can do to a call, each confirmed first. */
import { useEffect, useRef, useState } from "preact/hooks";
import { COMMANDS, type CommandName, OF_PARTICIPANT } from "../commands.ts";
import type { NextSteps } from "../next.ts";
import { may } from "../who.ts";
import { ApiError, ask, textIn, useStore } from "./page.ts";

const WORDS: Readonly<Record<CommandName, Words>> = {
  escalate: ["Escalate", "People on call are paged, rung by rung, until somebody takes the call."],
  coach: ["Coach", "The AI whispers to the person in the room; the caller does not hear it."],
  remove: ["Remove AI", "The AI leaves the room; caller and person go on alone."],
  restore: ["Bring AI back", "The AI comes back, and talks with the caller."],
  hold: ["Hold caller", "The caller hears music while the person speaks with the AI."],
  resume: ["End hold", "The caller is back in the room."],
  mute: ["Mute", "Nobody in the room hears them any more; they hear the others."],
  unmute: ["Unmute", "The room hears them again."],
  hangup: ["Hang up", "The call ends for everybody in it."],
};

type Words = readonly [name: string, what: string];

/** When only the caller is left who is to be called back. */
const STOP_SEEKING: Words = [
  "Stop seeking",
  "Nobody is paged for this caller any more, and nobody calls them back.",
];

function wordsOf(name: CommandName, following: boolean): Words {
  return following && name === "hangup" ? STOP_SEEKING : WORDS[name];
}

/** More than any command takes; of what is on the way longer nobody knows. */
const ANSWER_MS = 15_000;
const NO_ANSWER = "The engine did not answer. Whether it has taken the command shows in the log.";

interface CommandsProps {
  readonly callSid: string;
  readonly next: NextSteps | null;
  /** The call is over, and somebody is sought who calls back. */
  readonly following: boolean;
}

export function Commands({ callSid, next, following }: CommandsProps) {
  const mayCommand = useStore((state) => state.session !== null && may(state.session, "operator"));
  const [asked, setAsked] = useState<CommandName | null>(null);
  const [said, setSaid] = useState<string | null>(null);
  if (!mayCommand) return null;
  const possible = new Set(next?.commands);
  return (
    <section class="commands" aria-label="Commands">
      {COMMANDS.map((name) => (
        <button
          key={name}
          type="button"
          class={name === "hangup" ? "danger" : ""}
          disabled={!possible.has(name)}
          data-testid={`command-${name}`}
          onClick={() => {
            // Of the one before: it would be taken for the answer to this one.
            setSaid(null);
            setAsked(name);
          }}
        >
          {wordsOf(name, following)[0]}
        </button>
      ))}
      <span role="status" data-testid="command-said">
        {said}
      </span>
      {asked && (
        <Confirm
          callSid={callSid}
          name={asked}
          words={wordsOf(asked, following)}
          participants={next?.participants[asked] ?? []}
          onDone={(text) => {
            setAsked(null);
            setSaid(text);
          }}
        />
      )}
    </section>
  );
}

interface ConfirmProps {
  readonly callSid: string;
  readonly name: CommandName;
  readonly words: Words;
  /** Labels of those whom it may be about. */
  readonly participants: readonly string[];
  /** What to say of it; `null`: it was not given. */
  readonly onDone: (said: string | null) => void;
}

function Confirm({ callSid, name, words, participants, onDone }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [sending, setSending] = useState(false);
  const sent = useRef(false);
  const said = useRef<string | null>(null);
  // As it was asked: what is possible may change while somebody chooses.
  const [labels] = useState(participants);
  useEffect(() => dialog.current?.showModal(), []);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    // A second click, or Enter, while the first is on its way: a command counts each time that it is given.
    if (sent.current) return;
    sent.current = true;
    setSending(true);
    setProblem(null);
    const body = bodyOf(name, new FormData(event.target as HTMLFormElement));
    try {
      await ask(`/api/calls/${callSid}/commands`, { method: "POST", body }, ANSWER_MS);
      said.current = `${words[0]}: done, and noted in the log.`;
      // Closed, and not only taken away: so the focus goes back to where it was.
      dialog.current?.close();
    } catch (error) {
      sent.current = false;
      setSending(false);
      setProblem(error instanceof ApiError ? error.message : NO_ANSWER);
    }
  };
  return (
    <dialog
      ref={dialog}
      aria-labelledby="confirm-title"
      data-testid="confirm"
      // What was sent cannot be taken back: whoever closes it would not hear what became of it.
      onCancel={(event) => sending && event.preventDefault()}
      onClose={() => onDone(said.current)}
    >
      <form onSubmit={(event) => void submit(event)}>
        <h2 id="confirm-title">{words[0]}?</h2>
        <p>{words[1]}</p>
        {name === "escalate" && <EscalateFields />}
        {OF_PARTICIPANT.has(name) && <ParticipantField labels={labels} />}
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        <div class="buttons">
          <button type="button" disabled={sending} onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button
            type="submit"
            class={name === "hangup" ? "danger" : "primary"}
            // Not `disabled`, or it would lose the focus.
            aria-disabled={sending}
            data-testid="confirm-yes"
          >
            {sending ? "On its way…" : words[0]}
          </button>
        </div>
      </form>
    </dialog>
  );
}

function bodyOf(name: CommandName, form: FormData): string {
  const given = (field: string): string | null => textIn(form, field).trim() || null;
  const more =
    name === "escalate"
      ? { to: given("to"), reason: given("reason"), urgency: given("urgency") ?? "normal" }
      : OF_PARTICIPANT.has(name)
        ? { label: given("label") }
        : {};
  return JSON.stringify({ command: name, ...more });
}

function ParticipantField({ labels }: { readonly labels: readonly string[] }) {
  return (
    <label>
      Whom
      <select name="label" data-testid="confirm-participant">
        {labels.map((label) => (
          <option key={label} value={label}>
            {label}
          </option>
        ))}
      </select>
    </label>
  );
}

function EscalateFields() {
  return (
    <>
      <label>
        Why
        <input name="reason" maxLength={1000} placeholder="told to whoever is paged" />
      </label>
      <label>
        How urgent
        <select name="urgency">
          <option value="normal">normal</option>
          <option value="low">low</option>
          <option value="high">high</option>
          <option value="emergency">emergency</option>
        </select>
      </label>
      <label>
        Only this number
        <input
          name="to"
          inputMode="tel"
          pattern="\+[1-9]\d{1,14}"
          placeholder="+15550100; empty: the ladder"
        />
      </label>
    </>
  );
}
