import type { UnstampedCallEvent } from "../../machines/events.ts";
import type { Deployment } from "../config/deployment.ts";
import type { EscalationsView, PageView, Standing, TextedPage } from "./escalations-view.ts";
import type { Supervisor } from "./supervisor.ts";

/** The escalation of a call that rings one person: that ring, as a page. */
export class FirstPerson implements EscalationsView {
  readonly #supervisor: Supervisor;
  readonly #agent: string;
  readonly #contactName: string;
  readonly #rungName: string;
  /** Legs that have accepted, by call. */
  readonly #accepted = new Map<string, string>();

  constructor(supervisor: Supervisor, { agent, escalation }: Deployment) {
    this.#supervisor = supervisor;
    this.#agent = agent.name;
    const rung = escalation.rungs.find(({ contacts }) => contacts.some(({ voice }) => voice !== undefined));
    this.#rungName = rung?.name ?? "on call";
    this.#contactName = rung?.contacts.find(({ voice }) => voice !== undefined)?.name ?? "on call";
  }

  page(callSid: string, label: string): PageView | null {
    const row = this.#supervisor.get(callSid)?.row();
    if (!row) return null;
    return {
      callSid,
      incident: 1,
      label,
      channel: "voice",
      contactName: this.#contactName,
      rungName: this.#rungName,
      agent: this.#agent,
      reason: row.protected.escalationReason,
      urgency: "normal",
      standing: this.#standing(callSid, label),
      ownerName: null,
      followUp: false,
      rings: true,
      callerNumber: null,
    };
  }

  deliver(callSid: string, event: UnstampedCallEvent, key?: string): boolean {
    const accepts =
      event.type === "human.answered" && (event.answer === "accepted" || event.answer === "consult");
    if (accepts && this.#standing(callSid, event.label) === "open") this.#accepted.set(callSid, event.label);
    return this.#supervisor.deliver(callSid, event, key);
  }

  pagesTo(): readonly TextedPage[] {
    return [];
  }

  legWanted(callSid: string, label: string): boolean {
    return this.#standing(callSid, label) === "yours";
  }

  callerIsHere(callSid: string): boolean {
    const state = this.#supervisor.get(callSid)?.state;
    return state !== undefined && state !== "wrapUp";
  }

  forget(callSid: string): void {
    this.#accepted.delete(callSid);
  }

  #standing(callSid: string, label: string): Standing {
    if (this.#supervisor.get(callSid)?.wantedHumanLabel !== label) return "over";
    return this.#accepted.get(callSid) === label ? "yours" : "open";
  }
}
