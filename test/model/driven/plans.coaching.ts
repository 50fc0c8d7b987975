/** The AI whispers to a human, and the ways out of every step of that. */
import type { Driven } from "./driven.ts";
import {
  briefed,
  COACH,
  coached,
  joinedByDoctor,
  MUTE,
  NO_MODEL,
  type Plans,
  REFUSED,
  silentModel,
  UNMUTE,
  withoutModel,
} from "./plan.ts";
import type { Phone } from "./setting.ts";
import type { Match } from "./wires.ts";

/** Twilio does not know the leg to coach (yet). */
const NOT_YET = { refused: 400, code: 16_028 } as const;

/** How a step of the whisper is kept from being over, and how it goes on. */
interface Kept {
  readonly step: string;
  readonly keep: (call: Driven) => () => void;
}

const held =
  (match: Match) =>
  (call: Driven): (() => void) => {
    const hold = call.wires.hold(...match);
    return () => hold.release();
  };

const STEPS: readonly Kept[] = [
  { step: "muting", keep: held(MUTE) },
  { step: "flipping", keep: held(COACH) },
  { step: "switching", keep: silentModel },
  { step: "unmuting", keep: held(UNMUTE) },
  { step: "active", keep: () => () => undefined },
  {
    step: "listening",
    keep: (call) => {
      call.wires.rule(COACH, REFUSED, 1);
      return () => undefined;
    },
  },
];

/** The nurse is in the room, and this step of the whisper is not over. */
function keptIn(call: Driven, { step, keep }: Kept): { readonly nurse: Phone; readonly goOn: () => void } {
  const nurse = briefed(call);
  const goOn = keep(call);
  nurse.presses("1");
  call.until(`coaching.whisper.${step}`);
  return { nurse, goOn };
}

/** From every step: the line drops; the human leaves; the human leaves when another is there. */
const INTERRUPTIONS: Plans = Object.fromEntries(
  STEPS.flatMap((kept) => [
    [
      `the stream drops in ${kept.step}`,
      {
        acts: (call: Driven) => {
          const { goOn } = keptIn(call, kept);
          call.dropsMedia().until("coaching.whisper.reconnecting");
          goOn();
          call.until("coaching.whisper.active");
        },
      },
    ],
    [
      `the human leaves in ${kept.step}`,
      {
        acts: (call: Driven) => {
          const { nurse, goOn } = keptIn(call, kept);
          nurse.hangsUp();
          call.until("coaching.whisper.releasing");
          goOn();
          call.until("streaming.live");
        },
      },
    ],
    [
      `the human leaves in ${kept.step}, and another is there`,
      {
        acts: (call: Driven) => {
          const { nurse, goOn } = keptIn(call, kept);
          joinedByDoctor(call);
          call.until(`coaching.whisper.${kept.step}`);
          nurse.hangsUp();
          call.passes(`call.coaching.whisper.${kept.step}||1`);
          goOn();
          call.until("coaching.whisper.active");
        },
      },
    ],
  ]),
);

/** The coach is to be made once more, because Twilio does not know the human's leg; with two humans in the room. */
function retrying(call: Driven, humans: 1 | 2): Phone {
  const nurse = briefed(call);
  const coach = call.wires.hold(...COACH);
  nurse.presses("1");
  call.until("coaching.whisper.flipping");
  if (humans === 2) joinedByDoctor(call);
  call.until(() => coach.size > 0);
  coach.release(NOT_YET);
  call.until("coaching.whisper.retrying");
  return nurse;
}

const TROUBLE: Plans = {
  "Twilio knows the human's leg only at the second attempt": {
    acts: (call) => {
      const nurse = briefed(call);
      call.wires.rule(COACH, NOT_YET, 1);
      nurse.presses("1");
      call.passes("call.coaching.whisper.retrying|deadline|0").until("coaching.whisper.active");
    },
  },
  "the stream drops before the second attempt": {
    acts: (call) => {
      retrying(call, 1);
      call.dropsMedia().passes("call.coaching.whisper.retrying||0");
    },
  },
  "the human leaves before the second attempt, and another is there": {
    acts: (call) => {
      retrying(call, 2).hangsUp();
      call.passes("call.coaching.whisper.retrying||1");
    },
  },
  "the human leaves before the second attempt": {
    acts: (call) => {
      retrying(call, 1).hangsUp();
      call.passes("call.coaching.whisper.retrying||2").until("streaming.live");
    },
  },
  "the AI cannot be muted": {
    acts: (call) => {
      const nurse = briefed(call);
      call.wires.rule(MUTE, REFUSED);
      nurse.presses("1");
      call.passes("call.coaching.whisper.muting|effect.failed|0").until("removed.gone");
    },
  },
  "the AI cannot be made a coach, then an operator asks for it": {
    acts: (call) => {
      const nurse = briefed(call);
      call.wires.rule(COACH, REFUSED, 1);
      nurse.presses("1");
      call.until("coaching.whisper.listening").waits(500).operator("coach");
      call.until("coaching.whisper.active");
    },
  },
  "the AI can neither be made a coach nor be muted again": {
    acts: (call) => {
      const nurse = briefed(call);
      call.wires.rule(COACH, REFUSED, 1);
      call.wires.rule(MUTE, "pass", 1);
      call.wires.rule(MUTE, REFUSED);
      nurse.presses("1");
      call.passes("call.coaching.whisper.listening|effect.failed|0").until("removed.gone");
    },
  },
  "the model does not take its new role": {
    acts: (call) => {
      keptIn(call, { step: "switching", keep: silentModel });
      call.until("coaching.whisper.listening");
    },
  },
  "the AI cannot be unmuted": {
    acts: (call) => {
      const nurse = briefed(call);
      call.wires.rule(UNMUTE, REFUSED);
      nurse.presses("1");
      call.passes("call.coaching.whisper.unmuting|effect.failed|0");
    },
  },
  "somebody else takes the coach's lock away": {
    acts: (call) => {
      coached(call);
      call.changes("ai-1", { Coaching: "false" });
      call.passes("call.coaching.whisper.active|participant.changed|0").until("coaching.whisper.active");
    },
  },
  "somebody else mutes the coach": {
    acts: (call) => {
      coached(call);
      call.changes("ai-1", { Muted: "true" });
      call
        .passes("call.coaching.whisper.active|participant.changed|1")
        .until(() => !call.participant("ai-1").muted);
    },
  },
  "the model is gone for good while it whispers": {
    errors: NO_MODEL,
    acts: (call) => {
      coached(call);
      withoutModel(call).dropsModel().passes("call.coaching||1").until("removed.gone");
    },
  },
};

const PEOPLE: Plans = {
  "everything that the carrier tells comes twice": {
    acts: (call) => {
      call.wires.rule(["POST /twilio/"], "twice");
      coached(call).hangsUp();
      call.until("streaming.live");
    },
  },
  "the coach calls for another human, twice": {
    acts: (call) => {
      coached(call);
      const use = { name: "escalate", arguments: { reason: "pain" } };
      call.model(use).passes("call.coaching|tool.escalate|1").waits(3000);
      call.model(use).passes("call.coaching|tool.escalate|0");
    },
  },
  "an operator calls for another human": {
    acts: (call) => {
      coached(call);
      joinedByDoctor(call);
    },
  },
  "the human wants the AI to go": {
    acts: (call) => {
      coached(call);
      call.model({ name: "end_call", arguments: {} }).passes("call.coaching|tool.endCall|0");
      call.until("removed.gone");
    },
  },
  "an operator removes the AI": {
    acts: (call) => {
      coached(call);
      call.operator("remove").until("removed.gone");
    },
  },
  "the human goes out, and comes back without the AI": {
    acts: (call) => {
      const nurse = coached(call);
      const mute = call.wires.hold(...MUTE);
      nurse.presses("*");
      call.until("coaching.whisper.releasing").waits(2000);
      nurse.presses("3");
      call.passes("call.coaching||2");
      mute.release();
      call.until("removed.gone");
    },
  },
  "the human and the caller go on when the engine stops": {
    acts: (call) => {
      coached(call);
      call.shutsDown().passes("call.coaching|engine.shutdown|0").until("ended");
    },
  },
};

export const COACHING: Plans = { ...INTERRUPTIONS, ...TROUBLE, ...PEOPLE };
