/** What a handset shows: pure, so that every change can be tried without a browser. */
import { createStore } from "@xstate/store";
import type { PhoneNotice } from "../../phone/phone-messages.ts";
import type { OnCallPerson } from "../facts.ts";

export type Role = "caller" | "on-call";
/** `none`: an on-call handset that is nobody's yet. */
export type LinkState = "none" | "connecting" | "open" | "lost";
export type Phase = "idle" | "dialing" | "incoming" | "answering" | "in-call";
/** `closed`: by the person, or because another handset has taken it. */
export type MicrophoneState = "off" | "asking" | "on" | "closed" | "refused";

export interface InboxItem {
  readonly id: string;
  readonly kind: "sms" | "push";
  readonly title: string;
  readonly body: string;
  /** The link in it by which an incident is taken. */
  readonly ackUrl: string | null;
}

export interface LogLine {
  readonly id: number;
  readonly atMs: number;
  readonly text: string;
}

export interface HandsetState {
  readonly role: Role;
  readonly number: string;
  readonly person: OnCallPerson | null;
  readonly link: LinkState;
  readonly phase: Phase;
  /** Who calls, or is called. */
  readonly peer: string;
  readonly microphone: MicrophoneState;
  readonly speaker: boolean;
  readonly voicemail: boolean;
  /** Clips that were typed and are not said yet. */
  readonly saying: number;
  /** What went wrong last, until something goes right. */
  readonly problem: string | null;
  readonly inbox: readonly InboxItem[];
  readonly lines: readonly LogLine[];
}

/** Newest last; older ones are dropped. */
export const MAX_INBOX = 50;
export const MAX_LINES = 200;
const ACK_LINK = /https?:\/\/\S+\/ack\/[\w.~-]+/;

export type HandsetStore = ReturnType<typeof createHandsetStore>;

export function createHandsetStore(role: Role, number: string) {
  const context: HandsetState = {
    role,
    number,
    person: null,
    link: "none",
    phase: "idle",
    peer: "",
    microphone: "off",
    speaker: true,
    voicemail: false,
    saying: 0,
    problem: null,
    inbox: [],
    lines: [],
  };
  return createStore({
    context,
    on: {
      note: (state, event: { atMs: number; text: string }) => written(state, event),
      failed: (state, event: { atMs: number; text: string }) => ({
        ...written(state, event),
        problem: event.text,
      }),
      owner: (state, { number: next, person }: { number: string; person: OnCallPerson | null }) => ({
        ...state,
        number: next,
        person,
        inbox: next === state.number ? state.inbox : [],
        problem: null,
      }),
      link: (state, { link, ...event }: { link: LinkState; atMs: number }) => linked(state, link, event.atMs),
      began: (state, { phase, ...event }: { phase: Phase; peer?: string; atMs: number; text: string }) => ({
        ...written(state, event),
        phase,
        peer: event.peer ?? state.peer,
        problem: null,
      }),
      notice: (state, event: { notice: PhoneNotice; atMs: number }) => told(state, event.notice, event.atMs),
      pushed: (state, { items, atMs }: { items: readonly InboxItem[]; atMs: number }) =>
        items.reduce((next, item) => received(next, item, atMs), state),
      microphone: (state, event: { microphone: MicrophoneState; atMs: number; text: string }) => ({
        ...written(state, event),
        microphone: event.microphone,
        problem: problemOf(state, event),
      }),
      speaker: (state, { on }: { on: boolean }) => ({ ...state, speaker: on }),
      voicemail: (state, { on, atMs }: { on: boolean; atMs: number }) => ({
        ...written(state, { atMs, text: on ? "Voicemail answers from now on." : "Voicemail is off." }),
        voicemail: on,
      }),
      saying: (state, { change }: { change: 1 | -1 }) => ({
        ...state,
        saying: Math.max(0, state.saying + change),
      }),
    },
  });
}

function written(state: HandsetState, line: { readonly atMs: number; readonly text: string }): HandsetState {
  const id = (state.lines.at(-1)?.id ?? 0) + 1;
  return { ...state, lines: [...state.lines, { id, atMs: line.atMs, text: line.text }].slice(-MAX_LINES) };
}

/** A microphone that is had after all is no problem any more. */
function problemOf(state: HandsetState, event: { microphone: MicrophoneState; text: string }): string | null {
  if (event.microphone === "refused") return event.text;
  return state.microphone === "refused" || state.microphone === "asking" ? null : state.problem;
}

const LINK_TEXT: Readonly<Record<LinkState, string>> = {
  none: "Disconnected.",
  connecting: "Connecting to the sandbox…",
  open: "Connected.",
  lost: "The connection to the sandbox is lost. Trying again…",
};

function linked(state: HandsetState, link: LinkState, atMs: number): HandsetState {
  if (link === state.link) return state;
  const next = { ...written(state, { atMs, text: LINK_TEXT[link] }), link };
  if (link === "open") return { ...next, problem: null };
  // The carrier hangs up for a phone that is gone.
  return { ...next, phase: "idle", problem: link === "lost" ? LINK_TEXT.lost : next.problem };
}

function told(state: HandsetState, notice: PhoneNotice, atMs: number): HandsetState {
  const with_ = (text: string, patch: Partial<HandsetState>): HandsetState => ({
    ...written(state, { atMs, text }),
    ...patch,
  });
  switch (notice.type) {
    case "dialing":
      return with_(`Ringing at the other end (${shortSid(notice.callSid)}).`, { phase: "dialing" });
    case "answered":
      return with_("Answered: you are on the line.", { phase: "in-call" });
    case "incoming":
      return with_(`Incoming call from ${notice.from}.`, {
        phase: "incoming",
        peer: notice.from,
        problem: null,
      });
    case "cancelled":
      return with_("It rings no more: the caller, or Tandem, gave up.", { phase: "idle" });
    case "ended":
      return with_(`Call over: ${notice.reason}.`, { phase: "idle" });
    case "sms":
      return received(state, smsItem(notice), atMs);
    case "error": {
      // An error while dialling is the answer to it.
      const phase = state.phase === "dialing" ? "idle" : state.phase;
      return with_(`The carrier says: ${notice.message}.`, { phase, problem: notice.message });
    }
  }
}

export function smsItem(sms: {
  readonly messageSid: string;
  readonly from: string;
  readonly body: string;
}): InboxItem {
  const ackUrl = ACK_LINK.exec(sms.body)?.[0] ?? null;
  return { id: sms.messageSid, kind: "sms", title: `Text from ${sms.from}`, body: sms.body, ackUrl };
}

/** A message comes once, whether it was fetched or told. */
function received(state: HandsetState, item: InboxItem, atMs: number): HandsetState {
  if (state.inbox.some(({ id }) => id === item.id)) return state;
  const next = written(state, { atMs, text: item.kind === "sms" ? `${item.title}.` : `Push: ${item.title}` });
  return { ...next, inbox: [...next.inbox, item].slice(-MAX_INBOX) };
}

function shortSid(callSid: string): string {
  return `${callSid.slice(0, 8)}…`;
}
