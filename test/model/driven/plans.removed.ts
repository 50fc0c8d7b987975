/** The AI leaves, and comes back; and what is cleared up when the engine or an operator ends a call. */
import type { Driven } from "./driven.ts";
import { NURSE, type Phone } from "./setting.ts";
import {
  ADD_AI,
  AI_LEG,
  briefed,
  coached,
  conferenceEvent,
  END_CONFERENCE,
  HANG_UP,
  joinedByDoctor,
  NO_MODEL,
  type Plans,
  readdHangs,
  REFUSED,
  REMOVE_AI,
  talking,
  UNMUTE,
  withoutModel,
} from "./plan.ts";

/** The AI has left caller and nurse. */
function removed(call: Driven): Phone {
  const nurse = coached(call);
  call.operator("remove").until("removed.gone").waits(300);
  return nurse;
}

const ESCALATE = { name: "escalate", arguments: { reason: "pain" } };

const LEAVING: Plans = {
  "the policy wants no AI beside a human": {
    setup: { escalation: { ackTimeoutMs: 20_000, afterHandover: "remove" } },
    acts: (call) => {
      talking(call).operator("escalate").rings(NURSE.voice).picksUp();
      call.until("voice.briefing", "ladder-1/human-1").waits(500).phone(NURSE.voice).presses("1");
      call.passes("call.escalating||1").until("removed.gone");
    },
  },
  "the AI cannot be removed, and is hung up": {
    acts: (call) => {
      coached(call);
      call.wires.rule(REMOVE_AI, REFUSED);
      call.operator("remove").passes("call.removed.leaving|effect.failed|0").until("removed.gone");
    },
  },
  "nobody says that the AI was removed": {
    acts: (call) => {
      coached(call);
      call.wires.hold(...REMOVE_AI);
      call.operator("remove").passes("call.removed.leaving|deadline|0").until("removed.gone");
    },
  },
  "the AI asks for another human while it leaves, twice": {
    acts: (call) => {
      coached(call);
      call.wires.hold(...REMOVE_AI);
      call.operator("remove").until("removed.leaving").model(ESCALATE);
      call.passes("call.removed|tool.escalate|1").model(ESCALATE).passes("call.removed|tool.escalate|0");
    },
  },
  "an operator calls for another human when the AI has left": {
    acts: (call) => {
      removed(call);
      call.operator("escalate").passes("call.removed|op.escalate|0");
    },
  },
  "caller and human go on when the engine stops": {
    acts: (call) => {
      removed(call);
      call.shutsDown().passes("call.removed|engine.shutdown|0").until("ended");
    },
  },
};

const COMING_BACK: Plans = {
  "an operator calls the AI back": {
    acts: (call) => {
      removed(call);
      call.operator("restore").until("removed.restoring").until("coaching.whisper.active");
    },
  },
  "an operator calls the AI back as a coach": {
    acts: (call) => {
      removed(call);
      call.operator("coach").passes("call.removed.gone|op.coach|0").until("coaching.whisper.active");
    },
  },
  "the human leaves, and the AI comes back": {
    acts: (call) => {
      removed(call).hangsUp();
      call.passes("call.removed.gone||0").until("removed.returning").until("streaming.live");
    },
  },
  "the AI comes back only at the second attempt": {
    acts: (call) => {
      removed(call);
      call.wires.rule(ADD_AI, REFUSED, 1);
      call.operator("restore").passes("call.removed.restoring||2").until("coaching.whisper.active");
    },
  },
  "the AI does not come back to caller and human": {
    acts: (call) => {
      removed(call);
      call.wires.rule(ADD_AI, REFUSED);
      call.operator("restore").passes("call.removed.restoring||4").until("removed.gone");
    },
  },
  "the AI does not come back to the caller": {
    acts: (call) => {
      const nurse = removed(call);
      call.wires.rule(ADD_AI, REFUSED);
      nurse.hangsUp();
      call.passes("call.removed.restoring||3").until("ended");
    },
  },
  "the AI's way back to caller and human takes too long": {
    acts: (call) => {
      removed(call);
      readdHangs(call, "ai-2").operator("restore");
      call.passes("call.removed.restoring|deadline|1").until("removed.gone");
    },
  },
  "the AI's way back to the caller takes too long": {
    acts: (call) => {
      const nurse = removed(call);
      readdHangs(call, "ai-2");
      nurse.hangsUp();
      call.passes("call.removed.restoring|deadline|0").until("ended");
    },
  },
  "the human goes out when the AI has left, and comes back without it": {
    acts: (call) => {
      const nurse = removed(call);
      const leg = call.wires.hold(...AI_LEG);
      nurse.presses("*");
      call.until("removed.restoring").waits(2000);
      nurse.presses("3");
      call.passes("call.removed||1");
      leg.release();
      call.until("removed.gone");
    },
  },
  "the AI cannot be unmuted when it is back": {
    acts: (call) => {
      const nurse = removed(call);
      call.wires.rule(UNMUTE, REFUSED);
      nurse.hangsUp();
      call.passes("call.removed.returning|effect.failed|0").until("streaming.live");
    },
  },
  "nobody says that the AI is unmuted when it is back": {
    acts: (call) => {
      const nurse = removed(call);
      call.wires.hold(...UNMUTE);
      nurse.hangsUp();
      call.passes("call.removed.returning|deadline|0").until("streaming.live");
    },
  },
};

/** The nurse has accepted; the word that she is in the room comes when it is let go, or not at all. */
function coming(call: Driven) {
  const word = call.wires.hold(...conferenceEvent("participant-join", "human-1"));
  const nurse = briefed(call).presses("1");
  call.until("escalating.ladder.joining");
  return { nurse, word };
}

const LOST: Plans = {
  "the model is gone for good while the nurse comes": {
    errors: NO_MODEL,
    acts: (call) => {
      const { word } = coming(call);
      withoutModel(call).dropsModel().until("removed.awaiting");
      call.until(() => call.participant("caller").hold);
      word.release();
      call.passes("call.removed.lost||0").until("removed.gone");
      call.until(() => !call.participant("caller").hold);
    },
  },
  "the AI's leg is gone for good while the nurse comes, and nobody says that she has joined": {
    acts: (call) => {
      talking(call).wires.rule(ADD_AI, REFUSED);
      call.wires.rule(conferenceEvent("participant-join", "human-1"), "swallowed");
      call.operator("escalate").rings(NURSE.voice).picksUp();
      call.until("voice.briefing", "ladder-1/human-1").waits(500);
      call.phone(NURSE.voice).presses("1");
      call.until("escalating.ladder.joining").hangsUp("ai-1").until("removed.awaiting");
      call.passes("call.removed.awaiting|deadline|0").until("removed.gone");
    },
  },
  "the model is gone for good, and the nurse on her way hangs up": {
    errors: NO_MODEL,
    acts: (call) => {
      const { nurse } = coming(call);
      withoutModel(call).dropsModel().until("removed.awaiting");
      nurse.hangsUp();
      call.until("wrapUp.apologising").until("ended").rings(NURSE.voice);
    },
  },
  "the engine stops while the nurse comes": {
    acts: (call) => {
      const { word } = coming(call);
      call.shutsDown().until("removed.parting");
      word.release();
      call.passes("call.removed.parting||0").until("ended").waits(1000);
      if (!call.isInRoom("human-1") || !call.isInRoom("caller")) throw new Error("they were parted");
      call.until(() => !call.participant("caller").hold);
    },
  },
  "the engine stops while the nurse comes, and she hangs up": {
    acts: (call) => {
      const { nurse } = coming(call);
      call.shutsDown().until("removed.parting");
      nurse.hangsUp();
      call.passes("call.removed.parting||1").until("ended");
    },
  },
  "the engine stops while the nurse comes, and she is not heard of": {
    acts: (call) => {
      coming(call);
      call.shutsDown().passes("call.removed.parting|deadline|0").until("ended");
    },
  },
  "the time is up while the nurse talks to the caller": {
    setup: { limits: { maxCallMs: 20_000 } },
    acts: (call) => {
      const nurse = coached(call);
      call.passes("call|deadline|2").until("removed.overtime").waits(30_000);
      if (!call.isInRoom("human-1") || !call.isInRoom("caller")) throw new Error("they were cut off");
      nurse.hangsUp();
      call.passes("call.removed.overtime||0").until("ended");
    },
  },
  "the time is up, and another human comes who wants no AI": {
    setup: { limits: { maxCallMs: 20_000 }, escalation: { ackTimeoutMs: 20_000, afterHandover: "remove" } },
    acts: (call) => {
      briefed(call).presses("1");
      call.until("removed.gone").until("removed.overtime");
      joinedByDoctor(call);
      call.passes("call.removed.overtime||1").waits(500);
    },
  },
};

const CLEARING: Plans = {
  "the conference cannot be ended": {
    acts: (call) => {
      talking(call).wires.rule(END_CONFERENCE, REFUSED);
      call.operator("hangup").passes("call.wrapUp.clearing|effect.failed|0").until("ended");
    },
  },
  "nothing can be hung up": {
    acts: (call) => {
      talking(call).wires.hold(...END_CONFERENCE);
      call.operator("hangup").passes("call.wrapUp.clearing|deadline|0").until("ended");
    },
  },
  "nobody says that the AI's leg is gone when the engine stops": {
    acts: (call) => {
      coached(call);
      call.wires.hold(...HANG_UP);
      call.shutsDown().passes("call.wrapUp.detaching|deadline|0").until("ended");
    },
  },
};

export const REMOVED: Plans = { ...LEAVING, ...COMING_BACK, ...LOST, ...CLEARING };
