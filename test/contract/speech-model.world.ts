/** What the contract of `SpeechModel` needs around it: a provider, a session's configuration, a stage. */
import { z } from "zod";
import type { ModelAudioFormat, ModelSession, ModelSessionConfig, SpeechModel } from "../../engine/ports.ts";
import { RecordingSink } from "./recording-sink.ts";

/** A provider whose model repeats what it is told. */
export interface SpeechModelWorld {
  readonly model: SpeechModel;
  /** What its sessions speak and hear. */
  readonly audio: ModelAudioFormat;
  /** How long the model takes to say `words`. */
  spokenMs(words: string): number;
  /** The same provider, with a key that it refuses. */
  readonly unauthorised: SpeechModel;
  /** Instructions that make the model say `words`. */
  instructionToSay(words: string): string;
  /** Words of the caller that make the model call the tool `lookup` with `{ "subject": … }`. */
  readonly wordsThatCallLookup: string;
  /** One whole turn of the caller, ended by silence, as base64 frames. */
  callerSays(words: string): readonly string[];
  /** Speech of the caller that does not end. */
  readonly callerBegins: readonly string[];
  /** Breaks every connection that is open. */
  breakConnections(): void;
  openConnections(): number;
  /** The provider's own view of the current conversation, oldest first; null when it shows none. */
  conversation(): readonly { readonly role: string; readonly text: string }[] | null;
  /** The standing instructions of the current conversation as the provider has them. */
  instructions(): string | null;
  stop(): Promise<void>;
}

export const lookupTool = {
  name: "lookup",
  description: "Looks a subject up.",
  parameters: z.object({ subject: z.string() }),
};

export function sessionConfig(patch: Partial<ModelSessionConfig> = {}): ModelSessionConfig {
  return {
    callId: "CA00000000000000000000000000000001",
    instructions: "You answer the phone.",
    voice: "marin",
    tools: [lookupTool],
    turnDetection: { type: "server_vad", silenceMs: 300 },
    history: [],
    ...patch,
  };
}

/** What every test starts from. */
export class Stage {
  readonly world: SpeechModelWorld;
  readonly sink: RecordingSink;
  readonly opened: ModelSession[] = [];

  constructor(world: SpeechModelWorld) {
    this.world = world;
    this.sink = new RecordingSink(world.audio);
  }

  open(patch: Partial<ModelSessionConfig> = {}, model = this.world.model): ModelSession {
    const session = model.open(sessionConfig(patch), this.sink);
    this.opened.push(session);
    return session;
  }

  feed(session: ModelSession, frames: readonly string[]): void {
    for (const frame of frames) session.appendAudio(frame);
  }

  say(session: ModelSession, words: string): void {
    session.respond(this.world.instructionToSay(words));
  }

  /** Everything in the conversation as the provider has it. */
  providerText(): string {
    return (this.world.conversation() ?? []).map((item) => item.text).join("\n");
  }

  async clear(): Promise<void> {
    for (const session of this.opened) session.close();
    await this.world.stop();
  }
}
