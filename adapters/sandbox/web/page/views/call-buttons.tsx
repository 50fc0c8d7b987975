import type { ComponentChildren } from "preact";
import type { HandsetProps } from "./handset-view.tsx";

export function CallButtons({ handset, state }: HandsetProps) {
  const { phase, role, link } = state;
  return (
    <div class="buttons">
      {phase === "idle" && role === "caller" && (
        <button
          type="button"
          class="call"
          disabled={link !== "open" || handset.facts.number === null}
          onClick={() => void handset.call()}
        >
          Call {handset.facts.number}
        </button>
      )}
      {phase === "incoming" && (
        <>
          <button type="button" class="call" onClick={() => void handset.answer()}>
            Answer
          </button>
          <button type="button" class="end" onClick={() => handset.decline()}>
            Decline
          </button>
          <button type="button" onClick={() => handset.toVoicemail()}>
            To voicemail
          </button>
        </>
      )}
      {(phase === "dialing" || phase === "answering" || phase === "in-call") && (
        <button type="button" class="end" onClick={() => handset.hangUp()}>
          Hang up
        </button>
      )}
      {phase === "in-call" && <MicrophoneButton handset={handset} state={state} />}
      {phase === "in-call" && (
        <Toggle on={state.speaker} onChange={(on) => handset.setSpeaker(on)}>
          Speaker
        </Toggle>
      )}
      {role === "on-call" && (
        <Toggle on={state.voicemail} onChange={(on) => handset.setVoicemail(on)}>
          Voicemail
        </Toggle>
      )}
    </div>
  );
}

const MICROPHONE = {
  off: "Microphone off",
  asking: "Asking for the microphone…",
  on: "Microphone on",
  closed: "Talk here",
  refused: "Try the microphone again",
} as const;

function MicrophoneButton({ handset, state: { microphone } }: HandsetProps) {
  const on = microphone === "on";
  return (
    <button
      type="button"
      aria-pressed={on}
      disabled={microphone === "asking"}
      onClick={() => void handset.setMicrophone(!on)}
    >
      {MICROPHONE[microphone]}
    </button>
  );
}

function Toggle(props: {
  readonly on: boolean;
  readonly onChange: (on: boolean) => void;
  readonly children: ComponentChildren;
}) {
  return (
    <label class="toggle">
      <input type="checkbox" role="switch" checked={props.on} onChange={() => props.onChange(!props.on)} />
      {props.children}
    </label>
  );
}
