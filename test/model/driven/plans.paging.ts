/** People are paged, by phone, text and push, and on their way into the room. */
import type { Driven } from "./driven.ts";
import { DOCTOR, NURSE } from "./setting.ts";
import {
  ADD_AI,
  briefed,
  conferenceEvent,
  escalating,
  LIST_PARTICIPANTS,
  legStatus,
  NO_MODEL,
  PAGE_SMS,
  paged,
  type Plans,
  readdHangs,
  REFUSED,
  withoutModel,
  silentStreams,
} from "./plan.ts";

const NURSE_BY_TEXT = { ...NURSE, sms: NURSE.voice } as const;
const TEXTED = { rungs: [[NURSE_BY_TEXT], [DOCTOR]] } as const;
const SMS_ONLY = { rungs: [[{ name: "nurse", sms: NURSE.voice }], [DOCTOR]] } as const;
const QUICK = { escalation: { ackTimeoutMs: 3000 } } as const;

/** The model is a way off while the nurse's phone rings. */
const modelAway = (call: Driven): Driven => {
  paged(call);
  call.world.model.faults.set({ ignoreSessionUpdate: true });
  return call.dropsModel().until("escalating.link.modelAway");
};

const LINK: Plans = {
  "somebody else mutes the AI while people are paged": {
    acts: (call) => {
      escalating(call).changes("ai-1", { Muted: "true" });
      call.passes("call.escalating.link.live|participant.changed|0").waits(300);
    },
  },
  "the model is gone for good while people are paged": {
    errors: NO_MODEL,
    acts: (call) => withoutModel(escalating(call)).dropsModel().until("wrapUp.apologising").until("ended"),
  },
  "the model is late while people are paged": {
    setup: { limits: { modelReadyTimeoutMs: 3000 } },
    acts: (call) => modelAway(call).until("wrapUp.apologising").until("ended"),
  },
  "the model comes back while people are paged": {
    acts: (call) => {
      escalating(call).dropsModel().until("escalating.link.modelAway").until("escalating.link.live");
    },
  },
  "model and stream are away while people are paged": {
    acts: (call) => {
      modelAway(call).dropsMedia().until("escalating.link.reconnecting");
      call.world.model.faults.clear();
      call.until("escalating.link.live");
    },
  },
  "the stream does not come back by itself while people are paged": {
    acts: (call) => {
      const heard = silentStreams(escalating(call));
      call.dropsMedia().until("escalating.link.readding");
      heard();
      call.until("escalating.link.live");
    },
  },
  "the AI's leg is made anew while people are paged, at the second attempt": {
    acts: (call) => {
      escalating(call).wires.rule(ADD_AI, REFUSED, 1);
      call.hangsUp("ai-1").passes("call.escalating.link.readding||1").until("escalating.link.live");
    },
  },
  "the AI's leg is gone for good while people are paged": {
    acts: (call) => {
      escalating(call).wires.rule(ADD_AI, REFUSED);
      call.hangsUp("ai-1").passes("call.escalating.link.readding||2").until("ended");
    },
  },
  "the AI's new leg neither comes nor fails while people are paged": {
    setup: { escalation: { ackTimeoutMs: 60_000 } },
    acts: (call) => {
      readdHangs(escalating(call), "ai-2").hangsUp("ai-1").until("escalating.link.readding");
      call.passes("call.escalating.link.readding|deadline|0").until("ended");
    },
  },
  "the caller wants to go while people are paged": {
    acts: (call) => {
      escalating(call).model({ name: "end_call", arguments: {} });
      call.passes("call.escalating|tool.endCall|0").until("ended");
    },
  },
  "nobody says anything while people are paged": {
    setup: { escalation: { ackTimeoutMs: 60_000 } },
    acts: (call) => {
      paged(call);
      call.passes("call.escalating.ladder.paging|media.quiet|0").waits(1000);
    },
  },
  "a human is asked for twice": {
    acts: (call) => {
      escalating(call).model({ name: "escalate", arguments: { reason: "pain" } });
      call.passes("call.escalating|tool.escalate|0");
    },
  },
};

const OWNERS: Plans = {
  "the nurse takes it by text, and is rung": {
    setup: SMS_ONLY,
    acts: (call) => {
      escalating(call).waits(500).texts(NURSE.voice, "1").until("escalating.ladder.ringing");
      call.rings(NURSE.voice).picksUp();
      call.until("voice.briefing", "ladder-1/human-2").waits(500);
      call.phone(NURSE.voice).presses("1");
      call.passes("call.escalating.ladder.ringing||1").until("coaching.whisper.active");
    },
  },
  "nobody says anything while the nurse, who has taken it by text, is rung": {
    setup: SMS_ONLY,
    acts: (call) => {
      escalating(call).waits(500).texts(NURSE.voice, "1").until("escalating.ladder.ringing");
      call.rings(NURSE.voice).picksUp();
      call.passes("call.escalating.ladder.ringing|media.quiet|0").waits(1000);
    },
  },
  "the nurse takes it by text, and wants to speak with the AI first": {
    setup: SMS_ONLY,
    acts: (call) => {
      escalating(call).waits(500).texts(NURSE.voice, "1").until("escalating.ladder.ringing");
      call.rings(NURSE.voice).picksUp();
      call.until("voice.briefing", "ladder-1/human-2").waits(500);
      call.phone(NURSE.voice).presses("3");
      call.passes("call.escalating.ladder.ringing||0").until("coaching.caller.consulting");
    },
  },
  "the nurse takes it by text while her phone rings, and then declines": {
    setup: TEXTED,
    acts: (call) => {
      escalating(call).waits(500).texts(NURSE.voice, "1").until("escalating.ladder.ringing");
      call.rings(NURSE.voice).picksUp();
      call.until("voice.briefing", "ladder-1/human-1").waits(500);
      call.phone(NURSE.voice).presses("2");
      call.passes("call.escalating.ladder.ringing||2").rings(DOCTOR.voice);
    },
  },
  "the caller leaves while who took it is rung": {
    setup: SMS_ONLY,
    acts: (call) => {
      escalating(call).waits(500).texts(NURSE.voice, "1").until("escalating.ladder.ringing").leaves();
      call.passes("ladder.ringing||0").until("ended");
    },
  },
  "the nurse takes it while a text to the doctor is on its way": {
    setup: { rungs: [[NURSE, { name: "doctor", sms: DOCTOR.voice }]] },
    acts: (call) => {
      const answer = call.wires.holdAnswer(...PAGE_SMS);
      briefed(call).presses("1");
      call.until("escalating.ladder.joining");
      answer.release();
      call.passes("ladder||0").until("coaching");
    },
  },
  "the nurse declines by text while her phone rings": {
    setup: TEXTED,
    acts: (call) => {
      paged(call);
      call.waits(500).texts(NURSE.voice, "2").passes("ladder.paging||2").rings(DOCTOR.voice);
    },
  },
  "the nurse says yes by phone after the AI was asked first": {
    acts: (call) => {
      briefed(call).presses("3");
      call.passes("call.escalating.ladder.paging||0").until("coaching.caller.consulting");
    },
  },
  "the nurse hangs up on the way into the room": {
    acts: (call) => {
      call.wires.hold(...conferenceEvent("participant-join", "human-1"));
      const nurse = briefed(call).presses("1");
      call.until("escalating.ladder.joining");
      nurse.hangsUp();
      call.passes("call.escalating.ladder.joining||0").rings(DOCTOR.voice);
    },
  },
  "nobody says that the nurse has joined": {
    acts: (call) => {
      call.wires.rule(conferenceEvent("participant-join", "human-1"), "swallowed");
      briefed(call).presses("1");
      call.passes("call.escalating.ladder.joining|deadline|0").until("coaching.whisper.active");
    },
  },
  "nobody says whether the nurse has joined": {
    acts: (call) => {
      call.wires.rule(conferenceEvent("participant-join", "human-1"), "swallowed");
      call.wires.rule(LIST_PARTICIPANTS, REFUSED, 1);
      briefed(call).presses("1");
      call.passes("call.escalating.ladder.checking||1").until("coaching.whisper.active");
    },
  },
  "the nurse has accepted, and is on no line any more": {
    acts: (call) => {
      call.wires.rule(["/twilio/human-key"], "unanswered");
      call.wires.rule(legStatus("human-1"), "swallowed");
      call.wires.rule(["/twilio/human-after-dial"], "swallowed");
      briefed(call).presses("1");
      call.passes("call.escalating.ladder.checking||0").rings(DOCTOR.voice);
    },
  },
  "all are paged again after a pause": {
    setup: QUICK,
    acts: (call) => {
      paged(call);
      call.until("exhausted", "ladder-1").passes("ladder.exhausted||2").rings(NURSE.voice);
    },
  },
};

const LEAVING: Plans = {
  "nobody is wanted any more while the nurse comes": {
    acts: (call) => {
      call.wires.hold(...conferenceEvent("participant-join", "human-1"));
      briefed(call).presses("1");
      call.until("escalating.ladder.joining").operator("restore").passes("ladder.joining||0");
    },
  },
  "the caller leaves while the nurse comes": {
    acts: (call) => {
      call.wires.hold(...conferenceEvent("participant-join", "human-1"));
      briefed(call).presses("1");
      call.until("escalating.ladder.joining").leaves().until("ended");
    },
  },
  "the caller leaves when nobody could be reached, and an operator calls it off": {
    setup: QUICK,
    acts: (call) => {
      paged(call);
      call.until("exhausted", "ladder-1").leaves().until("ended").waits(500);
      call.operator("hangup").passes("incident.ended");
    },
  },
  "the caller leaves when nobody could be reached, and somebody calls back": {
    setup: QUICK,
    acts: (call) => {
      paged(call);
      call.until("exhausted", "ladder-1").leaves().passes("ladder.exhausted||0").until("ended");
      call.rings(NURSE.voice).picksUp();
      call.waits(2000).phone(NURSE.voice).presses("1");
      call.passes("incident.ended");
    },
  },
};

export const PAGING: Plans = { ...LINK, ...OWNERS, ...LEAVING };
