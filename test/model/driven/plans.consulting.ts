/** The caller is put on hold, so that the human can speak with the AI first, and taken off hold again. */
import type { Driven } from "./driven.ts";
import { briefed, COACH, coached, conferenceEvent, HOLD, type Plans, REFUSED, UNHOLD } from "./plan.ts";

/** The nurse wants to speak with the AI first, and is in the room; the caller is on hold. */
function consulting(call: Driven) {
  const nurse = briefed(call).presses("3");
  call.until("coaching.caller.consulting").until("coaching.whisper.active");
  return nurse;
}

export const CONSULTING: Plans = {
  "an operator puts the caller on hold, and ends that": {
    acts: (call) => {
      coached(call);
      call.operator("hold").until("coaching.caller.consulting").operator("resume");
      call.passes("call.coaching.caller.resuming||0").until("coaching.caller.together");
    },
  },
  "an operator does not want the hold any more before it is there": {
    acts: (call) => {
      coached(call);
      const hold = call.wires.hold(...HOLD);
      call.operator("hold").until("coaching.caller.holding").operator("resume");
      hold.release();
      call.passes("call.coaching.caller.holding|op.resume|0").until("coaching.caller.together");
    },
  },
  "the caller cannot be put on hold": {
    acts: (call) => {
      coached(call);
      call.wires.rule(HOLD, REFUSED);
      call.operator("hold").passes("call.coaching.caller.holding||0").until("coaching.caller.together");
    },
  },
  "somebody else has ended the hold before the human is there": {
    acts: (call) => {
      const joined = call.wires.hold(...conferenceEvent("participant-join", "human-1"));
      const coach = call.wires.hold(...COACH);
      briefed(call).presses("3");
      call.until(() => call.participant("caller").hold).waits(200);
      call.changes("caller", { Hold: "false" }).waits(100);
      joined.release();
      coach.release();
      call.passes("call.coaching.caller.holding||2").until("coaching.caller.together");
    },
  },
  "somebody else ends the hold": {
    acts: (call) => {
      consulting(call);
      call.changes("caller", { Hold: "false" });
      call.passes("call.coaching.caller.consulting||1").until("coaching.caller.together");
    },
  },
  "the human leaves while the caller is on hold": {
    acts: (call) => {
      consulting(call).hangsUp();
      call.passes("call.coaching.caller.consulting||0").until("streaming.live");
    },
  },
  "human and AI speak too long": {
    acts: (call) => {
      consulting(call);
      call.passes("call.coaching.caller.consulting|deadline|0").until("coaching.caller.together");
    },
  },
  "the caller cannot be taken off hold": {
    acts: (call) => {
      consulting(call);
      call.wires.rule(UNHOLD, REFUSED);
      call.operator("resume").passes("call||2");
    },
  },
};
