/** The way back from the human to the caller, and the coach's line that drops. */
import {
  ADD_AI,
  coached,
  MUTE,
  type Plans,
  readdHangs,
  REFUSED,
  silentModel,
  UNCOACH,
  UNMUTE,
  silentStreams,
} from "./plan.ts";

const LONG = { escalation: { ackTimeoutMs: 60_000 } } as const;

const BACK: Plans = {
  "the AI is taken back by an operator": {
    acts: (call) => {
      coached(call);
      call.operator("restore").until("streaming.live");
    },
  },
  "the human hands the caller back": {
    acts: (call) => {
      coached(call);
      call.model({ name: "take_back", arguments: {} }).passes("call.coaching.whisper|tool.takeBack|0");
      call.until("streaming.live");
    },
  },
  "the coach hears it twice that the human hands the caller back": {
    acts: (call) => {
      const nurse = coached(call);
      call.wires.hold(...MUTE);
      nurse.hangsUp();
      call.until("coaching.whisper.releasing").waits(300);
      call.model({ name: "take_back", arguments: {} }).passes("call|tool.takeBack|0");
    },
  },
  "the coach wants to go when the human has gone": {
    acts: (call) => {
      const nurse = coached(call);
      call.wires.hold(...MUTE);
      nurse.hangsUp();
      call.until("coaching.whisper.releasing").waits(300);
      call.model({ name: "end_call", arguments: {} }).passes("call|tool.endCall|0");
    },
  },
  "the way back takes too long": {
    acts: (call) => {
      const nurse = coached(call);
      call.wires.hold(...UNCOACH);
      nurse.hangsUp();
      call.passes("call.coaching.whisper.releasing|deadline|0").until("streaming.live");
    },
  },
  "the engine stops on the way back": {
    acts: (call) => {
      const nurse = coached(call);
      call.wires.hold(...UNCOACH);
      nurse.hangsUp();
      call.until("coaching.whisper.releasing").shutsDown().until("wrapUp.apologising").until("ended");
    },
  },
  "the AI cannot be muted for the way back": {
    acts: (call) => {
      const nurse = coached(call);
      call.wires.rule(MUTE, REFUSED, 1);
      nurse.hangsUp();
      call.passes("call.coaching.whisper.releasing.muting|effect.failed|0").until("streaming.live");
    },
  },
  "the coach's lock cannot be taken away": {
    acts: (call) => {
      const nurse = coached(call);
      call.wires.rule(UNCOACH, REFUSED, 1);
      nurse.hangsUp();
      call.passes("call.coaching.whisper.releasing.uncoaching|effect.failed|0").until("streaming.live");
    },
  },
  "the model does not take its old role again": {
    acts: (call) => {
      const nurse = coached(call);
      nurse.hangsUp();
      call.until("coaching.whisper.releasing");
      silentModel(call);
      call.passes("call.coaching.whisper.releasing.switching|effect.failed|0").until("removed");
    },
  },
  "the AI cannot be unmuted for the caller": {
    acts: (call) => {
      const nurse = coached(call);
      call.wires.rule(UNMUTE, REFUSED, 1);
      nurse.hangsUp();
      call.passes("call.coaching.whisper.releasing.unmuting|effect.failed|0").until("streaming.live");
    },
  },
};

const LINK: Plans = {
  "the coach's stream does not come back by itself": {
    acts: (call) => {
      coached(call);
      const heard = silentStreams(call);
      call.dropsMedia().passes("call.coaching.whisper.reconnecting|deadline|0");
      heard();
      call.until("coaching.whisper.active");
    },
  },
  "the human leaves while the coach's stream is away": {
    acts: (call) => {
      const nurse = coached(call);
      const heard = silentStreams(call);
      call.dropsMedia().until("coaching.whisper.reconnecting");
      heard();
      nurse.hangsUp();
      call.passes("call.coaching.whisper.reconnecting||0").until("streaming.live");
    },
  },
  "the coach's leg is made anew, at the second attempt": {
    acts: (call) => {
      coached(call);
      call.wires.rule(ADD_AI, REFUSED, 1);
      call.hangsUp("ai-1").passes("call.coaching.whisper.readding||2").until("coaching.whisper.active");
    },
  },
  "the coach's leg is gone for good": {
    acts: (call) => {
      coached(call);
      call.wires.rule(ADD_AI, REFUSED);
      call.hangsUp("ai-1").passes("call.coaching.whisper.readding||3").until("removed.gone");
    },
  },
  "the coach's new leg neither comes nor fails": {
    setup: LONG,
    acts: (call) => {
      coached(call);
      readdHangs(call, "ai-2").hangsUp("ai-1").until("coaching.whisper.readding");
      call.passes("call.coaching.whisper.readding|deadline|0").until("removed");
    },
  },
  "the human leaves while the coach's new leg comes": {
    acts: (call) => {
      const nurse = coached(call);
      const add = call.wires.hold(...ADD_AI);
      call.hangsUp("ai-1").until("coaching.whisper.readding");
      nurse.hangsUp();
      call.passes("call.coaching.whisper.readding||0");
      add.release();
      call.until("streaming.live");
    },
  },
};

export const RELEASING: Plans = { ...BACK, ...LINK };
