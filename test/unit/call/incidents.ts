/** Incidents as a ladder tells them. */
import type { Channel, Incident, Owner, PageRecord } from "../../../machines/ladder.types.ts";
import { START_MS } from "./support.ts";

export function pageOf(label: string, more: Partial<PageRecord> = {}): PageRecord {
  const kind = label.split("-")[0] as "human" | "sms" | "push";
  return {
    label,
    channel: kind === "human" ? "voice" : kind,
    purpose: "page",
    rung: 0,
    contact: 0,
    rungName: "primary",
    contactName: "on-call nurse",
    walk: 1,
    startedAtMs: START_MS,
    endedAtMs: null,
    result: null,
    ...more,
  };
}

export function ownerOf(page: PageRecord, more: Partial<Owner> = {}): Owner {
  const { rung, contact, rungName, contactName, label } = page;
  return {
    rung,
    contact,
    rungName,
    contactName,
    channel: page.channel as Channel,
    ackAtMs: START_MS + 5000,
    pageLabel: label,
    label: null,
    callSid: null,
    consult: false,
    ...more,
  };
}

export function incidentOf(pages: readonly PageRecord[], more: Partial<Incident> = {}): Incident {
  return {
    number: 1,
    by: "ai",
    reason: "chest pain",
    urgency: "high",
    openedAtMs: START_MS,
    phase: "paging",
    walk: 1,
    rung: 0,
    nextAtMs: START_MS + 120_000,
    owner: null,
    outcome: null,
    endedAtMs: null,
    pages,
    pagesDropped: 0,
    clear: false,
    ...more,
  };
}
