/** An operator silences somebody in the room, and ends that. */
import { coached, type Plans, REFUSED } from "./plan.ts";

export const MUTING: Plans = {
  "an operator mutes the caller, and ends that": {
    acts: (call) => {
      coached(call);
      call.operator("mute", { label: "caller" }).until(() => call.participant("caller").muted);
      call.passes("call|op.mute|0").waits(500);
      call.operator("unmute", { label: "caller" }).until(() => !call.participant("caller").muted);
      call.passes("call|op.unmute|0");
    },
  },
  "an operator mutes the human, beside whom the AI goes on as the coach": {
    acts: (call) => {
      coached(call);
      call.operator("mute", { label: "human-1" }).until(() => call.participant("human-1").muted);
      call.waits(500).until("coaching.whisper.active");
    },
  },
  "the caller cannot be muted": {
    acts: (call) => {
      coached(call);
      call.wires.rule(["POST", "/Participants/caller", "Muted=true"], REFUSED);
      call.operator("mute", { label: "caller" }).waits(500).until("coaching.whisper.active");
    },
  },
};
