/** What becomes of a single page, whatever is heard of it. */
import type { Driven } from "./driven.ts";
import { DOCTOR, NURSE } from "./setting.ts";
import {
  briefed,
  escalating,
  legStatus,
  PAGE_CALL,
  PAGE_SMS,
  paged,
  type Plans,
  REFUSED,
  ringsUnknown,
  talking,
} from "./plan.ts";

const SMS_ONLY = { rungs: [[{ name: "nurse", sms: NURSE.voice }], [DOCTOR]] } as const;
const BOTH = { rungs: [[NURSE, DOCTOR]] } as const;

/** Nothing is heard of how the phone's call goes. */
const noNews = (call: Driven, ...statuses: readonly string[]): void => {
  for (const status of statuses) call.wires.rule(legStatus("human-1", status), "swallowed");
};
const EARLY = ["initiated", "ringing"] as const;
/** A window that does not end before what is waited for. */
const LONG = { escalation: { ackTimeoutMs: 300_000, ringTimeoutMs: 5000 } } as const;
const LATER = { refused: 429, retryAfterS: 20 } as const;

const VOICE: Plans = {
  "the call is over before its request is answered": {
    acts: (call) => {
      noNews(call, ...EARLY);
      const answer = call.wires.holdAnswer(...PAGE_CALL);
      talking(call).operator("escalate").rings(NURSE.voice).busy();
      call.passes("page.voice.calling||0");
      answer.release();
    },
  },
  "she is on the line before the request for the call is answered": {
    acts: (call) => {
      noNews(call, ...EARLY);
      const answer = call.wires.holdAnswer(...PAGE_CALL);
      talking(call).operator("escalate").rings(NURSE.voice).picksUp();
      call.passes("page.voice.calling||3");
      answer.release();
    },
  },
  "the carrier has no time for the call": {
    setup: LONG,
    acts: (call) => {
      call.wires.rule(PAGE_CALL, LATER);
      talking(call).operator("escalate").passes("page.voice.calling||6");
    },
  },
  "nobody knows whether the call was made, and it is not answered": {
    setup: LONG,
    acts: (call) => {
      call.wires.rule(PAGE_CALL, "lost");
      talking(call).operator("escalate").passes("page.voice.unheard||5");
    },
  },
  "nobody knows whether the call was made, and the line is busy": {
    acts: (call) => {
      noNews(call, ...EARLY);
      talking(ringsUnknown(call)).operator("escalate").until("voice.unheard", "ladder-1/human-1");
      call.rings(NURSE.voice).busy();
      call.passes("page.voice.unheard||0");
    },
  },
  "nobody knows whether the call was made, and she picks up": {
    acts: (call) => {
      noNews(call, ...EARLY);
      talking(ringsUnknown(call)).operator("escalate").until("voice.unheard", "ladder-1/human-1");
      call.rings(NURSE.voice).picksUp();
      call.passes("page.voice.unheard||3");
    },
  },
  "nobody knows whether the call was made, and it rings": {
    acts: (call) => {
      const news = call.wires.hold(...legStatus("human-1"));
      talking(ringsUnknown(call)).operator("escalate").until("voice.unheard", "ladder-1/human-1");
      news.release();
      call.passes("page.voice.unheard||4");
    },
  },
  "nobody knows whether the call was made when the caller leaves": {
    acts: (call) => {
      noNews(call, "");
      talking(ringsUnknown(call)).operator("escalate").until("voice.unheard", "ladder-1/human-1").leaves();
      call.passes("page.voice.unheard||2");
    },
  },
  "it rings, and nobody says that it stopped": {
    setup: LONG,
    acts: (call) => {
      noNews(call, "no-answer");
      paged(call);
      call.passes("page.voice.ringing||4");
    },
  },
  "her line is busy": {
    acts: (call) => {
      const nurse = paged(call);
      call.until("voice.ringing", "ladder-1/human-1");
      nurse.busy();
      call.passes("page.voice.ringing||0").rings(DOCTOR.voice);
    },
  },
  "a machine picks up": {
    acts: (call) => {
      paged(call).voicemail();
      call.until("done", "ladder-1/human-1").rings(DOCTOR.voice);
    },
  },
  "she hangs up on the briefing": {
    acts: (call) => {
      briefed(call).hangsUp();
      call.passes("page.voice.briefing||0");
    },
  },
  "she hangs up on the briefing, and nobody says so": {
    setup: LONG,
    acts: (call) => {
      noNews(call, "completed");
      briefed(call).hangsUp();
      call.passes("page.voice.briefing||3");
    },
  },
  "somebody else has it, and she can neither be told nor hung up": {
    setup: BOTH,
    acts: (call) => {
      const nurse = briefed(call);
      const doctor = call.rings(DOCTOR.voice).picksUp();
      call.until("voice.briefing", "ladder-1/human-2").waits(500);
      call.wires.rule(["POST", `/Calls/${nurse.callSid}`], REFUSED);
      doctor.presses("1");
      call.passes("page.ending.pausing").passes("page.ending.hangingUp||1");
    },
  },
  "a phone that is not needed any more can be hung up only at the second attempt": {
    setup: BOTH,
    acts: (call) => {
      const nurse = paged(call);
      const doctor = call.rings(DOCTOR.voice).picksUp();
      call.until("voice.briefing", "ladder-1/human-2").waits(500);
      call.wires.rule(["POST", `/Calls/${nurse.callSid}`], REFUSED, 1);
      doctor.presses("1");
      call.passes("page.ending.pausing||0").until("coaching.whisper.active");
    },
  },
};

const TEXT: Plans = {
  "the carrier has no time for the text": {
    setup: { rungs: SMS_ONLY.rungs, ...LONG },
    acts: (call) => {
      call.wires.rule(PAGE_SMS, LATER);
      escalating(call).passes("page.text.sending||1");
    },
  },
  "the text cannot be sent": {
    setup: SMS_ONLY,
    acts: (call) => {
      call.wires.rule(PAGE_SMS, REFUSED);
      escalating(call).passes("page.text.sent||1").rings(DOCTOR.voice);
    },
  },
  "the caller leaves while the text is not answered": {
    setup: SMS_ONLY,
    acts: (call) => escalating(call).waits(500).leaves().passes("page.text.sent||0").until("ended"),
  },
  "the text does not arrive": {
    setup: SMS_ONLY,
    acts: (call) => {
      call.world.carrier.faults.set({ sms: { status: "undelivered" } });
      escalating(call).rings(DOCTOR.voice);
    },
  },
};

export const PAGES: Plans = { ...VOICE, ...TEXT };
