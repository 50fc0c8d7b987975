/** What an operator can do to a call, each confirmed first. */
import { useEffect, useRef, useState } from "preact/hooks";
import { COMMANDS, type CommandName, OF_PARTICIPANT } from "../commands.ts";
import type { NextSteps } from "../next.ts";
import { may } from "../who.ts";
import { ask, textIn, textOf, useStore } from "./page.ts";

const WORDS: Readonly<Record<CommandName, readonly [name: string, what: string]>> = {
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

export function Commands({ callSid, next }: { readonly callSid: string; readonly next: NextSteps | null }) {
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
          onClick={() => setAsked(name)}
        >
          {WORDS[name][0]}
        </button>
      ))}
      <span role="status" data-testid="command-said">
        {said}
      </span>
      {asked && (
        <Confirm
          callSid={callSid}
          name={asked}
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
  /** Labels of those whom it may be about. */
  readonly participants: readonly string[];
  /** What to say of it; `null`: it was not given. */
  readonly onDone: (said: string | null) => void;
}

function Confirm({ callSid, name, participants, onDone }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [problem, setProblem] = useState<string | null>(null);
  // As it was asked: what is possible may change while somebody chooses.
  const [labels] = useState(participants);
  useEffect(() => dialog.current?.showModal(), []);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.target as HTMLFormElement);
    const given = (field: string): string | null => textIn(form, field).trim() || null;
    const more =
      name === "escalate"
        ? { to: given("to"), reason: given("reason"), urgency: given("urgency") ?? "normal" }
        : OF_PARTICIPANT.has(name)
          ? { label: given("label") }
          : {};
    try {
      const body = JSON.stringify({ command: name, ...more });
      await ask(`/api/calls/${callSid}/commands`, { method: "POST", body });
      onDone(`${WORDS[name][0]}: done, and noted in the log.`);
    } catch (error) {
      setProblem(textOf(error));
    }
  };
  return (
    <dialog ref={dialog} aria-labelledby="confirm-title" data-testid="confirm" onClose={() => onDone(null)}>
      <form onSubmit={(event) => void submit(event)}>
        <h2 id="confirm-title">{WORDS[name][0]}?</h2>
        <p>{WORDS[name][1]}</p>
        {name === "escalate" && <EscalateFields />}
        {OF_PARTICIPANT.has(name) && <ParticipantField labels={labels} />}
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        <div class="buttons">
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button type="submit" class={name === "hangup" ? "danger" : "primary"} data-testid="confirm-yes">
            {WORDS[name][0]}
          </button>
        </div>
      </form>
    </dialog>
  );
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
