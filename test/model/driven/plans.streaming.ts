/** From the first ring through the talk of caller and AI, and how that ends. */
import { NURSE, pushTo } from "./setting.ts";
import {
  ADD_AI,
  APOLOGY,
  conferenceEvent,
  LIST_PARTICIPANTS,
  paged,
  type Plans,
  readdHangs,
  REFUSED,
  talking,
  NO_MODEL,
  withoutModel,
  silentStreams,
} from "./plan.ts";
import type { Driven } from "./driven.ts";

/** The window is over while the nurse hears the briefing; nobody else is paged. */
function lateNurse(call: Driven) {
  const nurse = paged(call).picksUp();
  call.until("voice.briefing", "ladder-1/human-1").until("streaming.live");
  return nurse;
}

const SHORT = { rungs: [[NURSE]], escalation: { ackTimeoutMs: 1500, againAfterMs: 60_000 } } as const;
const SLOW_MODEL = { limits: { modelReadyTimeoutMs: 3000 } } as const;

const ARRIVING: Plans = {
  "nobody says that the caller is in the room": {
    acts: (call) => {
      call.wires.rule(conferenceEvent("participant-join", "caller"), "swallowed");
      call.wires.rule(LIST_PARTICIPANTS, REFUSED);
      call.dials().until("wrapUp.apologising").until("ended");
    },
  },
  "the model cannot be reached": {
    errors: NO_MODEL,
    acts: (call) => withoutModel(call).dials().until("wrapUp.apologising").until("ended"),
  },
  "the model is late": {
    setup: SLOW_MODEL,
    acts: (call) => {
      call.world.model.faults.set({ ignoreSessionUpdate: true });
      call.dials().until("wrapUp.apologising").until("ended");
    },
  },
  "the AI's first leg fails, the next one comes": {
    acts: (call) => {
      call.wires.rule(ADD_AI, REFUSED, 1);
      call.dials().until("streaming.live");
    },
  },
  "the AI's first leg comes, though the carrier says that it does not": {
    acts: (call) => {
      call.wires.rule(ADD_AI, { failed: 500 }, 1);
      call.dials().until("streaming.live");
    },
  },
  "no leg of the AI comes": {
    acts: (call) => {
      call.wires.rule(ADD_AI, REFUSED);
      call.dials().until("wrapUp.apologising").until("ended");
    },
  },
};

const ASKED: Plans = {
  "the caller leaves before anything has happened": {
    acts: (call) => call.dials().waits(20).leaves().passes("call.arriving||0").until("ended"),
  },
  "the caller asks for a human, and once more when nobody could be reached": {
    setup: SHORT,
    acts: (call) => {
      const use = { name: "escalate", arguments: { reason: "pain" } };
      talking(call).model(use).passes("call.streaming|tool.escalate|1").until("exhausted", "ladder-1");
      call.until("streaming.live").model(use).passes("call.streaming|tool.escalate|0");
    },
  },
};

const LINK: Plans = {
  "the AI's leg is gone, and is made anew": {
    acts: (call) => talking(call).hangsUp("ai-1").until("streaming.readding").until("streaming.live"),
  },
  "the AI's leg is gone, and only the second attempt brings it back": {
    acts: (call) => {
      talking(call).wires.rule(ADD_AI, REFUSED, 1);
      call.hangsUp("ai-1").until("streaming.readding").until("streaming.live");
    },
  },
  "the AI's leg is gone for good": {
    acts: (call) => {
      talking(call).wires.rule(ADD_AI, REFUSED);
      call.hangsUp("ai-1").passes("call.streaming.readding||2").until("ended");
    },
  },
  "the AI's new leg neither comes nor fails": {
    acts: (call) => {
      readdHangs(talking(call), "ai-2");
      call.hangsUp("ai-1").until("streaming.readding").until("wrapUp.apologising").until("ended");
    },
  },
  "the stream does not come back by itself": {
    acts: (call) => {
      const heard = silentStreams(talking(call));
      call.dropsMedia().until("streaming.reconnecting").until("streaming.readding");
      heard();
      call.until("streaming.live");
    },
  },
  "the model is away, and the stream drops too": {
    acts: (call) => {
      talking(call).world.model.faults.set({ ignoreSessionUpdate: true });
      call.dropsModel().until("streaming.modelAway").dropsMedia().until("streaming.reconnecting");
      call.world.model.faults.clear();
      call.until("streaming.live");
    },
  },
  "the model does not come back in time": {
    setup: SLOW_MODEL,
    acts: (call) => {
      talking(call).world.model.faults.set({ ignoreSessionUpdate: true });
      call.dropsModel().until("streaming.modelAway").until("wrapUp.apologising").until("ended");
    },
  },
  "the model is gone for good": {
    errors: NO_MODEL,
    acts: (call) => withoutModel(talking(call)).dropsModel().until("wrapUp.apologising").until("ended"),
  },
  "somebody else mutes the AI": {
    acts: (call) => {
      talking(call).changes("ai-1", { Muted: "true" });
      call.passes("call.streaming.live|participant.changed|0").until(() => !call.participant("ai-1").muted);
    },
  },
};

const LATE_HUMANS: Plans = {
  "a late human joins while the stream is away": {
    setup: SHORT,
    acts: (call) => {
      const nurse = lateNurse(call);
      silentStreams(call);
      call.dropsMedia().until("streaming.reconnecting");
      nurse.presses("1");
      call.passes("call.streaming||2").until("coaching.whisper");
    },
  },
  "a late human who wants no AI joins while the stream is away": {
    setup: { ...SHORT, escalation: { ...SHORT.escalation, afterHandover: "remove" } },
    acts: (call) => {
      const nurse = lateNurse(call);
      silentStreams(call);
      call.dropsMedia().until("streaming.reconnecting");
      nurse.presses("1");
      call.passes("call.streaming||1").until("removed");
    },
  },
  "a late human accepts, and the AI still talks": {
    setup: SHORT,
    acts: (call) => {
      lateNurse(call).presses("1");
      call.passes("call.streaming.live||2").until("coaching.whisper.active");
    },
  },
  "somebody without a phone takes it when nobody could be reached": {
    setup: { ...SHORT, rungs: [[{ name: "porter", push: pushTo("porter") }]] },
    acts: (call) => {
      talking(call).operator("escalate").until("exhausted", "ladder-1").until("streaming.live");
      call.waits(300).followsLink().passes("call.streaming.live||4");
    },
  },
};

const ENDINGS: Plans = {
  "the caller wants to go": {
    acts: (call) => {
      talking(call).model({ name: "end_call", arguments: {} }).until("streaming.closing").until("ended");
    },
  },
  "the AI says goodbye into a line that has dropped": {
    acts: (call) => {
      silentStreams(talking(call));
      call.model({ name: "end_call", arguments: {} }).dropsMedia().until("streaming.reconnecting");
      call.passes("call.streaming.closing||0").until("ended");
    },
  },
  "an operator ends the call": {
    acts: (call) => talking(call).operator("hangup").until("ended"),
  },
  "the engine stops while the AI talks": {
    acts: (call) => talking(call).shutsDown().passes("call|engine.shutdown|1").until("ended"),
  },
  "the call is too long": {
    setup: { limits: { maxCallMs: 10_000 } },
    acts: (call) => talking(call).passes("call|deadline|0").until("ended"),
  },
  "the apology is never over": {
    acts: (call) => {
      talking(call).wires.hold("POST /twilio/goodbye");
      call
        .shutsDown()
        .until("wrapUp.apologising")
        .passes("call.wrapUp.apologising|deadline|0")
        .until("ended");
    },
  },
  "the caller leaves during the apology": {
    acts: (call) => {
      talking(call).shutsDown().until("wrapUp.apologising").waits(200).leaves();
      call.passes("call.wrapUp.apologising|deadline|1").until("ended");
    },
  },
  "the caller cannot be told": {
    acts: (call) => {
      talking(call).wires.rule(APOLOGY, REFUSED);
      call.shutsDown().passes("call.wrapUp.apologising|effect.failed|0").until("ended");
    },
  },
  "more people are asked for than one call may have": {
    acts: (call) => {
      talking(call);
      for (let nth = 1; nth <= 20; nth++) {
        call
          .operator("escalate")
          .until(`paging`, `ladder-${nth}`)
          .operator("restore")
          .until("streaming.live");
      }
      call.model({ name: "escalate", arguments: { reason: "pain" } }).passes("call|tool.escalate|0");
    },
  },
};

export const STREAMING: Plans = { ...ARRIVING, ...ASKED, ...LINK, ...LATE_HUMANS, ...ENDINGS };
