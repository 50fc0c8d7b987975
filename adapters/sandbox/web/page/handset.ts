/** One handset: what its buttons do, and what comes to it. */
import { errorText } from "../../../../engine/errors.ts";
import type { Clock } from "../../../../engine/ports.ts";
import { MAX_UTTERANCE_BYTES } from "../../carrier/media/phone-commands.ts";
import type { PhoneNotice } from "../../phone/phone-messages.ts";
import type { OnCallPerson, PhonesFacts } from "../facts.ts";
import { type SayOutcome, type VoiceTally } from "../worklet/voice-protocol.ts";
import { fetchPushes, fetchSpeech, fetchTexts } from "./carrier-requests.ts";
import { createHandsetStore, type HandsetState, type Phase, type Role } from "./handset-state.ts";
import { Meters } from "./meters.ts";
import { PhoneLink } from "./phone-link.ts";
import type { Sound, VoiceNode } from "./sound.ts";

const VOICEMAIL_AFTER_MS = 3000;
const PUSH_POLL_MS = 1500;
/** Of the browser: which handset has the microphone, on whichever page of it. */
const MICROPHONE_CHANNEL = "tandem-phones-microphone";

export interface HandsetOptions {
  readonly role: Role;
  /** The caller's own; an on-call handset gets that of a person. */
  readonly number: string;
  readonly facts: PhonesFacts;
  readonly sound: Sound;
  readonly clock: Clock;
}

export class Handset {
  readonly store;
  readonly meters = new Meters();
  readonly facts: PhonesFacts;
  readonly #sound: Sound;
  readonly #clock: Clock;
  readonly #link: PhoneLink;
  readonly #channel = new BroadcastChannel(MICROPHONE_CHANNEL);
  #voice: VoiceNode | null = null;
  #voiceMade: Promise<VoiceNode> | null = null;
  /** Nobody has closed it by hand. */
  #wantsMicrophone = true;
  /** The call that is to be made once there is sound: the carrier knows nothing of it yet. */
  #undialled: object | null = null;
  #stopRinging: (() => void) | null = null;
  #voicemailTimer: unknown = null;
  #pollTimer: unknown = null;
  #lastClip = 0;

  constructor({ role, number, facts, sound, clock }: HandsetOptions) {
    this.store = createHandsetStore(role, number);
    this.facts = facts;
    this.#sound = sound;
    this.#clock = clock;
    this.#link = new PhoneLink(clock, {
      opened: () => this.#opened(),
      lost: () => this.#lost(),
      notice: (notice) => this.#told(notice),
      frame: (frame) => this.#voice?.hear(frame),
    });
    this.#channel.addEventListener("message", () => this.#microphoneTaken());
  }

  get #state(): HandsetState {
    return this.store.getSnapshot().context;
  }

  /** Gets the calls and texts of this number from now on. */
  be(number: string, person: OnCallPerson | null): void {
    this.store.trigger.owner({ number, person });
    if (this.#link.open) this.#register();
    else {
      this.#setLink("connecting");
      this.#link.connect();
    }
    // The press that got here lets the phone ring aloud later.
    if (person)
      void this.#sound.start().catch((error: unknown) => this.#fail(`No sound: ${errorText(error)}`));
  }

  /** Nobody's handset again. */
  leave(): void {
    this.hangUp();
    this.#clock.clearTimeout(this.#pollTimer);
    this.#link.close();
    this.#quiet();
    this.#endCall();
    this.#setLink("none");
    this.store.trigger.owner({ number: "", person: null });
  }

  async call(): Promise<void> {
    const { number: to } = this.facts;
    const { number: from, phase } = this.#state;
    if (to === null) return this.#fail("The sandbox has no number to call yet.");
    if (phase !== "idle") return;
    const call = (this.#undialled = {});
    this.store.trigger.began({ phase: "dialing", peer: to, atMs: this.#now, text: `Calling ${to}…` });
    const hasSound = await this.#pickUp();
    // Who has put it down meanwhile does not call, and may have begun another one.
    if (this.#undialled !== call) return;
    this.#undialled = null;
    if (hasSound && !this.#link.send({ type: "dial", from, to })) this.#notConnected();
  }

  async answer(): Promise<void> {
    const isIn = (phase: Phase): boolean => this.#state.phase === phase;
    if (!isIn("incoming")) return;
    this.#quiet();
    this.store.trigger.began({ phase: "answering", atMs: this.#now, text: "Picking up…" });
    // The caller may have given up meanwhile.
    if (!(await this.#pickUp()) || !isIn("answering")) return;
    if (!this.#link.send({ type: "answer" })) this.#notConnected();
  }

  decline(): void {
    this.#refuse("decline", "Declined.");
  }

  toVoicemail(): void {
    this.#refuse("voicemail", "Voicemail has answered.");
  }

  hangUp(): void {
    const { phase } = this.#state;
    if (phase === "incoming") return this.decline();
    if (this.#undialled) {
      this.#undialled = null;
      this.store.trigger.began({ phase: "idle", atMs: this.#now, text: "Put down again." });
      return this.#endCall();
    }
    if (phase !== "idle") this.#link.send({ type: "hangup" });
  }

  press(digit: string): void {
    if (this.#state.phase !== "in-call") return;
    if (this.#link.send({ type: "digits", digits: digit })) this.#note(`Pressed ${digit}.`);
  }

  /** Says a text with the sandbox's voice, after what is being said already. */
  async say(text: string): Promise<void> {
    if (this.#state.phase !== "in-call") return;
    this.store.trigger.saying({ change: 1 });
    try {
      const ulaw = await fetchSpeech(text);
      if (ulaw.length > MAX_UTTERANCE_BYTES) throw new Error("it takes more than a minute to say");
      this.#link.send({ type: "utterance", text, audio: base64(ulaw) });
      this.#note(`Saying: “${text}”`);
      this.#voice?.tell({ type: "say", id: ++this.#lastClip, ulaw });
    } catch (error) {
      this.store.trigger.saying({ change: -1 });
      this.#fail(`That could not be said: ${errorText(error)}.`);
    }
  }

  sendSms(body: string): void {
    const { number: to } = this.facts;
    if (to === null || !this.#link.send({ type: "sms", to, body })) return this.#notConnected();
    this.#note(`Text sent: “${body}”`);
  }

  setSpeaker(on: boolean): void {
    this.store.trigger.speaker({ on });
    this.#voice?.tell({ type: "speaker", on });
  }

  setVoicemail(on: boolean): void {
    this.store.trigger.voicemail({ on, atMs: this.#now });
  }

  async setMicrophone(on: boolean): Promise<void> {
    this.#wantsMicrophone = on;
    if (on) await this.#openMicrophone();
    else this.#closeMicrophone("The microphone is closed.");
  }

  get #now(): number {
    return this.#clock.now();
  }

  /** Sound and voice, before anything is to be heard. The microphone may take as long as its owner thinks. */
  async #pickUp(): Promise<boolean> {
    try {
      // One for all calls, also when another is begun before it is there: each works on for as long as the page.
      this.#voiceMade ??= this.#makeVoice();
      this.#voice = await this.#voiceMade;
      await this.#sound.start();
    } catch (error) {
      if (!this.#voice) this.#voiceMade = null;
      this.store.trigger.began({ phase: "idle", atMs: this.#now, text: "Put down again." });
      this.#fail(`This browser gives no sound: ${errorText(error)}`);
      return false;
    }
    if (this.#wantsMicrophone) void this.#openMicrophone();
    return true;
  }

  #makeVoice(): Promise<VoiceNode> {
    return this.#sound.voice({
      frame: (frame) => {
        this.#link.speak(frame);
        this.#voice?.spare(frame);
      },
      levels: (mouth, ear) => this.meters.set(mouth, ear),
      said: (_id, outcome) => this.#said(outcome),
      tally: (tally) => this.#tally(tally),
    });
  }

  async #openMicrophone(): Promise<void> {
    if (!this.#voice) return;
    this.#channel.postMessage("taken");
    this.store.trigger.microphone({
      microphone: "asking",
      atMs: this.#now,
      text: "Asking for the microphone…",
    });
    try {
      await this.#voice.openMicrophone();
      // The browser may have asked for long: until the call was over, or another handset had it.
      const { microphone } = this.#state;
      if (microphone === "on") return;
      if (microphone !== "asking") return this.#voice.closeMicrophone();
      this.store.trigger.microphone({ microphone: "on", atMs: this.#now, text: "The microphone is on." });
    } catch (error) {
      const why =
        error instanceof DOMException && error.name === "NotAllowedError"
          ? "is not allowed"
          : "cannot be had";
      const text = `The microphone ${why}. Type what you want to say; everything else works.`;
      this.store.trigger.microphone({ microphone: "refused", atMs: this.#now, text });
    }
  }

  #closeMicrophone(text: string): void {
    this.#voice?.closeMicrophone();
    const { microphone } = this.#state;
    if (microphone === "on" || microphone === "asking") {
      this.store.trigger.microphone({ microphone: "closed", atMs: this.#now, text });
    }
  }

  /** Two open microphones in one room hear everything twice. */
  #microphoneTaken(): void {
    this.#closeMicrophone("Another handset has the microphone now.");
  }

  #opened(): void {
    this.#setLink("open");
    this.#register();
  }

  #register(): void {
    const { number, person } = this.#state;
    this.#link.send({ type: "register", number });
    this.#note(`This is the phone of ${person ? `${person.name}, ` : ""}${number}.`);
    void this.#fetchTexts(number);
    this.#clock.clearTimeout(this.#pollTimer);
    if (person?.pushName != null) void this.#poll(person.pushName);
  }

  async #fetchTexts(number: string): Promise<void> {
    const items = await fetchTexts(number).catch(() => []);
    if (this.#state.number === number) this.store.trigger.pushed({ items, atMs: this.#now });
  }

  async #poll(name: string): Promise<void> {
    const items = await fetchPushes(name).catch(() => []);
    if (this.#state.person?.pushName !== name) return;
    this.store.trigger.pushed({ items, atMs: this.#now });
    this.#clock.clearTimeout(this.#pollTimer);
    this.#pollTimer = this.#clock.setTimeout(() => void this.#poll(name), PUSH_POLL_MS);
  }

  #lost(): void {
    this.#quiet();
    this.#endCall();
    this.#setLink("lost");
  }

  #told(notice: PhoneNotice): void {
    this.store.trigger.notice({ notice, atMs: this.#now });
    if (notice.type === "incoming") this.#ring();
    else if (notice.type === "answered") this.#voice?.tell({ type: "begin" });
    else if (notice.type === "cancelled") this.#quiet();
    if (this.#state.phase === "idle") this.#endCall();
  }

  #ring(): void {
    this.#quiet();
    this.#stopRinging = this.#sound.ring();
    if (!this.#state.voicemail) return;
    this.#voicemailTimer = this.#clock.setTimeout(() => {
      if (this.#state.phase === "incoming") this.toVoicemail();
    }, VOICEMAIL_AFTER_MS);
  }

  #quiet(): void {
    this.#stopRinging?.();
    this.#stopRinging = null;
    this.#clock.clearTimeout(this.#voicemailTimer);
  }

  #refuse(how: "decline" | "voicemail", text: string): void {
    if (this.#state.phase !== "incoming") return;
    this.#quiet();
    this.#link.send({ type: how });
    this.store.trigger.began({ phase: "idle", atMs: this.#now, text });
  }

  #endCall(): void {
    this.#voice?.tell({ type: "end" });
    this.#voice?.closeMicrophone();
    const { microphone } = this.#state;
    if (microphone !== "off" && microphone !== "refused") {
      this.store.trigger.microphone({ microphone: "off", atMs: this.#now, text: "The microphone is off." });
    }
  }

  #said(outcome: SayOutcome): void {
    this.store.trigger.saying({ change: -1 });
    if (outcome === "refused") this.#fail("Too much is waiting to be said already.");
  }

  #tally({ sent, dropped, heard, missed, discarded }: VoiceTally): void {
    const lost = dropped + this.#link.framesDropped;
    this.#link.framesDropped = 0;
    this.#note(
      `Said ${sent} frames of 20 ms (${lost} lost), heard ${heard} (${missed} made up, ${discarded} left out).`,
    );
  }

  #setLink(link: "none" | "connecting" | "open" | "lost"): void {
    this.store.trigger.link({ link, atMs: this.#now });
  }

  #notConnected(): void {
    this.store.trigger.began({ phase: "idle", atMs: this.#now, text: "Not connected." });
    this.#fail("Not connected to the sandbox; it is tried again by itself.");
  }

  #note(text: string): void {
    this.store.trigger.note({ atMs: this.#now, text });
  }

  #fail(text: string): void {
    this.store.trigger.failed({ atMs: this.#now, text });
  }
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
