/**
 * What must hold in every world, whatever happens in it (design §9, 1 to 4 and 6): looked at with every frame
 * that the caller hears and every event, not only at the end. What is checked against is what the carrier
 * really did, never what the engine believes.
 */
import type { AuditEntry, CallRow, LogFields, LogLevel } from "../../engine/ports.ts";
import { type Audience, CALLER } from "./drama.ts";
import { MediaBooks } from "./heard.ts";
import type { Plan } from "./plan.ts";
import { Taint } from "./voices.ts";
import type { Observer, World } from "./world.ts";

/** A caller who has spoken, and is alone, hears something again within this time. */
export const MAX_SILENCE_MS = 25_000;
/** From the caller's leaving until nothing of the call is left. */
export const MAX_ENDING_MS = 60_000;
/** How far the engine's sum of what was heard may be from the carrier's, for each cut besides the latency. */
const HEARD_SLACK_MS = 250;
/** Each item is told in whole milliseconds. */
const ROUNDING_MS = 1;
const POLL_MS = 1000;
/** A page that is over stops within this time, and so does the call of a person whose caller has left. */
const CANCEL_MS = 2000;
/** Whoever has picked up hears what they are being asked to its end, and why they are not needed. */
const TELL_MS = 9000;
/** The same when requests fail and are repeated, or news is lost and only found out by a checkup. */
const CANCEL_WITH_FAULTS_MS = 45_000;

export interface Violation {
  /** Such as `coach-heard`: the same for all of a kind. */
  readonly rule: string;
  readonly atMs: number;
  readonly detail: string;
}

interface Participant {
  readonly callSid: string;
  readonly label: string | null;
  readonly muted: boolean;
  readonly callSidToCoach: string | null;
}

/** The conference as the carrier has it at this moment. */
interface Room {
  /** Everybody in it who is neither the caller nor the AI. */
  readonly humans: readonly Participant[];
  readonly ai: readonly Participant[];
}

/** What of a row does not change any more when its call has ended. */
function lasting(row: CallRow): Partial<CallRow> {
  const { escalations: _all, escalation: _last, recordings: _kept, metrics: _counted, ...rest } = row;
  return rest;
}

const labelIn = (url: string): string | null => /[?&]label=([^&#]+)/.exec(url)?.[1] ?? null;

export class Watch implements Observer, Audience {
  readonly violations: Violation[] = [];
  /** What was reached, for the distribution over all worlds. */
  readonly reached = new Set<string>();
  world: World | null = null;
  callSid = "";
  callerLeftMs: number | null = null;
  #dirty = true;
  #polledMs = 0;
  #room: Room = { humans: [], ai: [] };
  readonly #machines = new Set<string>();
  /** What each phone's page, by its label, is about. */
  readonly #incidents = new Map<string, number>();
  /** Calls to people that are not over, and since when they ring; `null`: picked up. */
  readonly #pages = new Map<string, number | null>();
  #unansweredSinceMs: number | null = null;
  #playedBytes = 0;
  /** Of the model, by its own word. */
  #role: "agent" | "coach" = "agent";
  readonly #books = new MediaBooks();
  #lastRow: CallRow | null = null;
  /** The engine knows of the call: a caller may leave before. */
  #begun = false;

  /** To be called once, before anything happens. */
  attend(world: World): void {
    this.world = world;
    world.network.tap = (end, direction, text) => {
      if (!end.url.includes("/twilio/media")) return;
      if (direction === "in") this.#books.received(end, text);
      else {
        this.#books.sent(end, text);
        if (text.startsWith('{"event":"media"')) this.#checkGate();
      }
    };
    const { taints } = world.carrier;
    if (taints) {
      taints.onHeard = (number, mask) => {
        if (number === CALLER && (mask & Taint.coach) !== 0) this.#violate("coach-heard");
      };
    }
    world.network.onHandled = (url) => {
      if (url.startsWith(world.carrier.url)) this.#dirty = true;
    };
  }

  get #nowMs(): number {
    return this.world?.clock.monotonicMs() ?? 0;
  }

  #violate(rule: string, detail = ""): void {
    if (this.violations.some((each) => each.rule === rule)) return;
    this.violations.push({ rule, atMs: this.#nowMs, detail });
    this.world?.trace.add("VIOLATED", rule, detail);
  }

  // ------------------------------------------------------------------ what the people hear and do

  ear(audible: boolean): void {
    if (audible) this.#unansweredSinceMs = null;
  }

  callerSpoke(): void {
    this.#unansweredSinceMs ??= this.#nowMs;
  }

  callerLeft(): void {
    this.callerLeftMs ??= this.#nowMs;
  }

  rang(number: string, callSid: string): void {
    this.said(`rang ${number} ${callSid}`);
    this.#pages.set(callSid, this.#nowMs);
    this.#look();
    const call = this.world?.carrier.state().calls.find(({ sid }) => sid === callSid);
    const incident = this.#incidentOf(labelIn(call?.statusCallback ?? ""));
    if (this.#room.humans.some(({ label }) => this.#incidentOf(label) === incident))
      this.#violate("paged-after-ack", `${number} rings while somebody is in the room`);
  }

  pickedUp(callSid: string, machine: boolean): void {
    if (machine) this.#machines.add(callSid);
    this.#pages.set(callSid, null);
  }

  said(what: string): void {
    this.world?.trace.add("drama", what, "");
  }

  // ------------------------------------------------------------------ what the system does

  log(source: string, level: LogLevel, event: string, fields: LogFields): void {
    if (level === "error" && !this.#isExplained(event))
      this.#violate("error-logged", `${source} ${event} ${JSON.stringify(fields)}`);
    if (source !== "carrier") return;
    this.#dirty = true;
    if (event === "carrier.call.ended") this.#pages.delete(String(fields["callSid"]));
  }

  /** A model that cannot be reached is an error to the engine, and here the plan's own doing. */
  #isExplained(event: string): boolean {
    const faults = this.world?.plan.faults ?? [];
    return event === "model.failed" && faults.some(({ kind }) => kind.startsWith("model"));
  }

  audit(entry: AuditEntry): void {
    this.#begun = true;
    const { label, incident } = entry.data;
    if (entry.name === "page.call" && entry.kind === "effect")
      this.#incidents.set(String(label), Number(incident));
    if (entry.kind !== "state" || entry.name === "incident") return;
    const value = JSON.stringify(entry.data["value"]);
    this.reached.add(`state ${value}`);
  }

  /** Once a call has ended its row stays, but for who is still sought, what was recorded and what came late. */
  row(row: CallRow): void {
    const before = this.#lastRow;
    this.#lastRow = row;
    if (row.callSid !== this.callSid) this.#violate("second-row", row.callSid);
    if (before === null || before.endedAt === null) return;
    const now = lasting(row);
    if (!Bun.deepEquals(lasting(before), now)) this.#violate("second-row", JSON.stringify(now));
  }

  instructed(instructions: string): void {
    const role = instructions.startsWith("COACH MODE") ? "coach" : "agent";
    if (role === this.#role) return;
    this.#look();
    this.#role = role;
    const open = this.#room.ai.find(({ muted }) => !muted);
    if (role === "coach" && open) this.#violate("role-before-mute", `${open.label} is not muted`);
  }

  played(_streamSid: string, ulaw: Uint8Array): void {
    this.#playedBytes += ulaw.length;
  }

  // ------------------------------------------------------------------ checks

  /** After every step of the clock. */
  check(): void {
    const nowMs = this.#nowMs;
    if (this.#dirty) this.#look();
    if (nowMs - this.#polledMs < POLL_MS) return;
    this.#polledMs = nowMs;
    this.#look();
    const { world } = this;
    if (!world) return;
    if (this.#room.humans.length > 0 || this.callerLeftMs !== null) this.#unansweredSinceMs = null;
    if (this.#unansweredSinceMs !== null && nowMs - this.#unansweredSinceMs > MAX_SILENCE_MS) {
      this.#violate("left-in-silence", `since ${this.#unansweredSinceMs}`);
    }
    this.#checkPages(world.plan, nowMs);
    if (this.callerLeftMs !== null && nowMs - this.callerLeftMs > MAX_ENDING_MS) {
      this.#violate("not-ended", JSON.stringify(this.leftovers()));
    }
  }

  #checkPages(plan: Plan, nowMs: number): void {
    const cancelMs = (plan.faults.length > 0 ? CANCEL_WITH_FAULTS_MS : CANCEL_MS) + 4 * plan.latencyMs[1];
    for (const [callSid, sinceMs] of this.#pages) {
      if (sinceMs !== null && nowMs - sinceMs > plan.ackTimeoutMs + cancelMs) {
        this.#violate("rings-on", `${callSid} since ${sinceMs}`);
      }
      const goneMs = cancelMs + (sinceMs === null ? TELL_MS : 0);
      if (this.callerLeftMs !== null && nowMs - this.callerLeftMs > goneMs) {
        this.#violate("rings-for-nobody", callSid);
      }
    }
  }

  /** What is left of the call; empty when there is nothing. */
  leftovers(): readonly string[] {
    const { world } = this;
    if (!world) return [];
    const { calls, conferences, streams, pending } = world.carrier.state();
    const { requests, sockets } = world.network.pending;
    const counts: readonly (readonly [string, number])[] = [
      ["calls of the engine", world.engine.supervisor.size],
      ["streams of the engine", world.engine.gateway.live],
      ["calls of the carrier", calls.length],
      ["conferences", conferences.length],
      ["streams of the carrier", streams.length],
      ["sessions of the model", world.model.sessions().length],
      ["sockets", sockets],
      ["requests", requests],
      ...Object.entries(pending),
    ];
    return counts.filter(([, count]) => count > 0).map(([what, count]) => `${count} ${what}`);
  }

  /** When all is over. */
  finish(): void {
    const left = this.leftovers();
    if (left.length > 0) this.#violate("left-behind", left.join(", "));
    const row = this.#lastRow;
    if ((row === null || row.endedAt === null) && this.#begun) this.#violate("no-row");
    if (!row) return;
    this.reached.add(`end ${row.endReason}`);
    this.reached.add(`handover ${row.handover}`);
    for (const { code } of row.errors) this.reached.add(`error ${code}`);
    this.#checkHeard(row);
  }

  /** After the engine, the carrier and the model were stopped. */
  stopped(done: boolean, timers: number): void {
    if (!done) this.#violate("does-not-stop");
    else if (timers > 0) this.#violate("timers-left", String(timers));
  }

  #checkHeard(row: CallRow): void {
    const spoken = row.protected.transcript.filter((entry) => entry.heardMs !== undefined);
    const heardMs = spoken.reduce((sum, entry) => sum + (entry.heardMs ?? 0), 0);
    const cut = spoken.filter((entry) => (entry.heardMs ?? 0) < (entry.generatedMs ?? 0)).length;
    const playedMs = this.#playedBytes / 8;
    const latencyMs = this.world?.plan.latencyMs[1] ?? 0;
    const slackMs = (HEARD_SLACK_MS + 4 * latencyMs) * (1 + cut);
    const { sentMs, confirmedMs } = this.#books;
    const roundingMs = ROUNDING_MS * (spoken.length + 1);
    if (heardMs > sentMs + roundingMs)
      this.#violate("heard-unsent", `heard ${heardMs} ms, sent ${sentMs} ms`);
    if (heardMs < confirmedMs - roundingMs) {
      this.#violate("confirmed-unheard", `heard ${heardMs} ms, marks confirm ${confirmedMs} ms`);
    }
    if (heardMs > playedMs + slackMs || heardMs < playedMs - slackMs) {
      this.#violate("heard-wrong", `heard ${heardMs} ms, played ${playedMs} ms, ${cut} cut`);
    }
    for (const { heardMs: heard = 0, generatedMs = 0 } of spoken) {
      if (heard > generatedMs) this.#violate("heard-wrong", `${heard} ms of ${generatedMs} ms heard`);
    }
  }

  /** Whoever comes back by a key has the label that they had, and a number. */
  #incidentOf(label: string | null): number | null {
    return this.#incidents.get(label?.split(".")[0] ?? "") ?? null;
  }

  /** Who is in the room, by the carrier's own books. */
  #look(): void {
    const { world } = this;
    this.#dirty = false;
    if (!world) return;
    const { conferences } = world.carrier.state();
    const inside = conferences.flatMap((conference) =>
      conference.participants.filter(({ status }) => status === "connected"),
    );
    const ai = inside.filter(({ label }) => label?.startsWith("ai-") === true);
    const humans = inside.filter((each) => each.callSid !== this.callSid && !ai.includes(each));
    this.#room = { humans, ai };
    const incidents = humans.map(({ label }) => this.#incidentOf(label));
    if (new Set(incidents).size < incidents.length)
      this.#violate("two-owners", humans.map(({ label }) => label).join(" "));
    if (humans.some(({ callSid }) => this.#machines.has(callSid))) this.#violate("voicemail-in-room");
    this.#checkWhisper();
    if (humans.length > 0) this.reached.add("human in the room");
  }

  /** Between the two roles nothing is sent at all. */
  #checkGate(): void {
    const between = this.#room.ai.some(({ muted, callSidToCoach }) => muted && callSidToCoach !== null);
    if (between) this.#violate("speaks-between-roles");
  }

  /** A coach's leg is locked, or open to somebody in particular: never to the room. */
  #checkWhisper(): void {
    if (this.#role !== "coach") return;
    for (const { muted, callSidToCoach, label } of this.#room.ai) {
      if (!muted && callSidToCoach === null) this.#violate("whisper-unlocked", `${label} is open to all`);
    }
  }
}
