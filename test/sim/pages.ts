/**
 * The pages of a world as the network and the carrier saw them: when each was sent, whose phone it rang, what
 * they did about it. The engine's own word is kept beside it, to be compared.
 */
import type { Channel, PageResult } from "../../machines/ladder.types.ts";
import type { SentRequest } from "./network.ts";

/** A call that the carrier made for a page. */
export interface LegSeen {
  readonly callSid: string;
  readonly number: string;
  readonly rangMs: number;
  pickedUpMs: number | null;
  machine: boolean;
  /** Keys that were pressed in it, in order. */
  keys: string;
  endedMs: number | null;
  status: string | null;
}

export interface PageSeen {
  readonly callSid: string;
  readonly label: string;
  readonly incident: number;
  readonly channel: Channel;
  readonly contact: string;
  readonly purpose: "page" | "ring";
  readonly walk: number;
  /** Index of the rung that was being paged when it came up. */
  readonly rung: number;
  /** When it came up. */
  readonly sinceMs: number;
  /** By the engine's word, and since when. */
  result: PageResult | null;
  resultMs: number;
  /**
   * E.164, once any to this person by this channel has been sent; `null` of a push. Whoever answers an older one may
   * be credited with one that an engine which died was about to send.
   */
  to: string | null;
  leg: LegSeen | null;
  /** How often its link was used. */
  accepts: number;
  declines: number;
}

/** A call as the carrier has it at a moment. */
export interface CarrierCall {
  readonly sid: string;
  /** Where its progress is reported. */
  readonly statusCallback: string | null;
}

/** What a request of the engine's is about. */
export interface PageRequest {
  readonly callSid: string;
  readonly label: string;
  readonly to: string | null;
  /** The incident's code in a text. */
  readonly code: string | null;
}

/** `null`: it pages nobody. */
export function pageRequestIn({ method, url, body }: SentRequest): PageRequest | null {
  if (method !== "POST") return null;
  if (url.includes("/push/")) {
    const { ackUrl } = JSON.parse(body) as { readonly ackUrl: string };
    return { ...grantIn(ackUrl), to: null, code: null };
  }
  if (!url.endsWith("/Calls.json") && !url.endsWith("/Messages.json")) return null;
  const form = new URLSearchParams(body);
  const about = legIn(form.get("StatusCallback") ?? "");
  return (
    about && {
      ...about,
      to: form.get("To"),
      code: /\(([A-Z]\d+)\)/.exec(form.get("Body") ?? "")?.[1] ?? null,
    }
  );
}

/** Of which call and page a callback's address tells. */
export function legIn(url: string): { readonly callSid: string; readonly label: string } | null {
  const [, callSid, label] = /[?&]call=(\w+)&label=([^&#]+)/.exec(url) ?? [];
  return callSid === undefined || label === undefined ? null : { callSid, label };
}

const EXPIRY_BYTES = 4;
const SID_BYTES = 16;
const MAC_BYTES = 12;

/** Which page an ack link is about. */
export function grantIn(ackUrl: string): { readonly callSid: string; readonly label: string } {
  const bytes = Buffer.from(ackUrl.slice(ackUrl.lastIndexOf("/") + 1), "base64url").subarray(EXPIRY_BYTES);
  const callSid = `CA${bytes.toString("hex", 0, SID_BYTES)}`;
  return { callSid, label: bytes.toString("utf8", SID_BYTES, bytes.length - MAC_BYTES) };
}

/** Whoever comes back by a key has the label that they had, and a number. */
export const baseLabel = (label: string): string => label.split(".")[0] ?? label;

export class Pages {
  readonly #pages = new Map<string, PageSeen>();
  readonly #legs = new Map<string, LegSeen>();
  readonly #numbers = new Map<string, string>();

  get all(): Iterable<PageSeen> {
    return this.#pages.values();
  }

  get(callSid: string, label: string): PageSeen | null {
    return this.#pages.get(`${callSid}/${baseLabel(label)}`) ?? null;
  }

  add(page: PageSeen): void {
    this.#pages.set(`${page.callSid}/${page.label}`, page);
  }

  /** Where this person is reached by this channel, as far as is known. */
  numberOf({ contact, channel }: Pick<PageSeen, "contact" | "channel">): string | null {
    return this.#numbers.get(`${contact}/${channel}`) ?? null;
  }

  foundNumber({ contact, channel }: PageSeen, number: string): void {
    this.#numbers.set(`${contact}/${channel}`, number);
    for (const page of this.#pages.values()) {
      if (page.contact === contact && page.channel === channel) page.to = number;
    }
  }

  forget(callSid: string): void {
    for (const [key, page] of this.#pages) if (page.callSid === callSid) this.#pages.delete(key);
  }

  /** By its own call sid. */
  leg(callSid: string): LegSeen | null {
    return this.#legs.get(callSid) ?? null;
  }

  addLeg(page: PageSeen | null, leg: LegSeen): void {
    this.#legs.set(leg.callSid, leg);
    if (page) page.leg = leg;
  }
}

export const isSameIncident = (a: PageSeen, b: PageSeen): boolean =>
  a.callSid === b.callSid && a.incident === b.incident;
