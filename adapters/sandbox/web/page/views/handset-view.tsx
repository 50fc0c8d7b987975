import type { Handset } from "../handset.ts";
import type { HandsetState } from "../handset-state.ts";
import { CallButtons } from "./call-buttons.tsx";
import { Inbox } from "./inbox.tsx";
import { Keypad } from "./keypad.tsx";
import { LevelMeters } from "./level-meters.tsx";
import { Log } from "./log.tsx";
import { Owner } from "./owner.tsx";
import { SpeechBox } from "./speech-box.tsx";
import { useHandset } from "./use-handset.ts";
import { useKeptFocus } from "./use-kept-focus.ts";

export interface HandsetProps {
  readonly handset: Handset;
  readonly state: HandsetState;
}

export function HandsetView({
  handset,
  chosen,
}: {
  readonly handset: Handset;
  readonly chosen: string | null;
}) {
  const state = useHandset(handset);
  const element = useKeptFocus();
  const { role, phase } = state;
  const title = role === "caller" ? "Caller" : "On call";
  const onKeyDown = (event: KeyboardEvent): void => {
    const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    const other = event.repeat || event.ctrlKey || event.metaKey || event.altKey;
    if (!typing && !other && /^[0-9*#]$/.test(event.key)) handset.press(event.key);
  };
  return (
    <section
      ref={element}
      tabIndex={-1}
      class={`handset ${phase}`}
      data-role={role}
      aria-labelledby={`${role}-title`}
      onKeyDown={onKeyDown}
    >
      <h2 id={`${role}-title`}>
        {title} <Dot state={state} />
      </h2>
      <Owner handset={handset} state={state} chosen={chosen} />
      {(role === "caller" || state.person) && (
        <>
          <p class="phase" role="status" data-phase={phase}>
            {phaseText(state)}
          </p>
          {state.problem && (
            <p class="problem" role="alert">
              {state.problem}
            </p>
          )}
          <CallButtons handset={handset} state={state} />
          <LevelMeters handset={handset} state={state} />
          <SpeechBox handset={handset} state={state} />
          <Keypad handset={handset} state={state} />
          <Inbox handset={handset} state={state} />
        </>
      )}
      <Log state={state} name={title} />
    </section>
  );
}

const LINK_TEXT = {
  none: "off",
  connecting: "connecting",
  open: "connected",
  lost: "connection lost",
} as const;

function Dot({ state: { link } }: { readonly state: HandsetState }) {
  return <span class={`dot ${link}`}>{LINK_TEXT[link]}</span>;
}

function phaseText({ phase, peer, role }: HandsetState): string {
  switch (phase) {
    case "idle":
      return role === "caller" ? "Ready to call." : "Waiting for a call.";
    case "dialing":
      return `Calling ${peer}…`;
    case "incoming":
      return `Ringing: ${peer} calls`;
    case "answering":
      return "Picking up…";
    case "in-call":
      return `On the line with ${peer}`;
  }
}
