/** Messages between the sandbox's worker thread and who started it. */
import type { LogLevel } from "../../engine/ports.ts";
import type { PhonesSetting } from "./web/phone-pages.ts";

export type BoxMessage =
  | {
      readonly type: "start";
      readonly account: {
        readonly accountSid: string;
        readonly authToken: string;
        readonly twimlAppSid: string;
        readonly number: string;
        readonly modelKey: string;
      };
      readonly logLevel: LogLevel;
      readonly persona: string;
      readonly callsPerSecond: number;
      readonly carrierPort: number;
    }
  | { readonly type: "configure"; readonly phones: PhonesSetting }
  | { readonly type: "stop" };

export type BoxReply =
  | { readonly ok: true; readonly carrierUrl: string; readonly modelUrl: string }
  | { readonly ok: false; readonly problem: string };
