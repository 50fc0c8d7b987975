/** The chain of a log checked, and its machines run again, by the engine. */
import { useState } from "preact/hooks";
import type { Verified } from "../verify.ts";
import { askJson, textOf } from "./page.ts";

export function Verify(props: { readonly callSid: string; readonly onGo: (seq: number) => void }) {
  const { callSid, onGo } = props;
  const [state, setState] = useState<Verified | "running" | { readonly problem: string } | null>(null);
  const run = async (): Promise<void> => {
    setState("running");
    try {
      setState(await askJson<Verified>(`/api/calls/${callSid}/verify`));
    } catch (error) {
      setState({ problem: textOf(error) });
    }
  };
  return (
    <section aria-labelledby="verify-title" class="verify">
      <h2 id="verify-title">Verify</h2>
      <p>
        <button type="button" data-testid="verify" disabled={state === "running"} onClick={() => void run()}>
          Check the chain and run the machines again
        </button>
      </p>
      <div role="status" data-testid="verified">
        {state === "running" && "Running…"}
        {state !== null && typeof state === "object" && "problem" in state && (
          <span class="problem">{state.problem}</span>
        )}
        {state !== null && typeof state === "object" && "chain" in state && <Result of={state} onGo={onGo} />}
      </div>
    </section>
  );
}

function Result({
  of: { chain, replay },
  onGo,
}: {
  readonly of: Verified;
  readonly onGo: (seq: number) => void;
}) {
  return (
    <>
      <p>
        <span class={`tag ${chain.status === "intact" ? "good" : "bad"}`}>chain: {chain.status}</span>{" "}
        {chain.entries} entries
      </p>
      <ul>
        {chain.findings.map(({ problem, seq, what }) => (
          <li key={`${problem}${seq}`}>
            {seq !== null && <Go seq={seq} onGo={onGo} />} {problem}: {what}
          </li>
        ))}
      </ul>
      {replay && (
        <p>
          <span class={`tag ${replay.outcome === "agrees" ? "good" : "bad"}`}>replay: {replay.outcome}</span>{" "}
          {replay.events} events, {replay.compared} steps, states and effects compared
          {replay.why && `: ${replay.why}`}
        </p>
      )}
      {replay?.notes.map((note) => (
        <p key={note} class="hint">
          {note}
        </p>
      ))}
      {replay?.divergence && (
        <p class="problem" data-testid="divergence">
          <Go seq={replay.divergence.seq} onGo={onGo} /> {replay.divergence.how}
          {replay.divergence.since && `; since ${replay.divergence.since}`}
        </p>
      )}
    </>
  );
}

function Go({ seq, onGo }: { readonly seq: number; readonly onGo: (seq: number) => void }) {
  return (
    <button type="button" class="quiet" onClick={() => onGo(seq)}>
      entry {seq}
    </button>
  );
}
