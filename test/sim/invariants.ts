/**
 * What must hold in every world, whatever happens in it (design §9, 1 to 4 and 6): looked at with every frame
 * that a caller hears and every event, not only at the end. What is checked against is what the carrier really
 * did, never what the engine believes.
 */
import { LOG_CLOSED } from "../../engine/audit/chain.ts";
import type { AuditEntry, CallRow, JournalEntry, LogFields, LogLevel } from "../../engine/ports.ts";
import { CallRules, HeardRules } from "./call-rules.ts";
import { cancelMs, type Court, type Violation } from "./court.ts";
import type { Audience } from "./drama.ts";
import { EffectRules } from "./effect-rules.ts";
import { IncidentRules } from "./incident-rules.ts";
import { baseLabel, grantIn, legIn } from "./pages.ts";
import { CALLERS, type Plan } from "./plan.ts";
import { Taint } from "./voices.ts";
import type { Observer, World } from "./world.ts";

const POLL_MS = 500;

interface Participant {
  readonly callSid: string;
  readonly label: string | null;
  readonly muted: boolean;
  readonly hold: boolean;
  readonly callSidToCoach: string | null;
}

/** A conference as the carrier has it at this moment. */
interface Room {
  /** Of the call whose room it is. */
  readonly callSid: string;
  readonly caller: Participant | null;
  /** Everybody in it who is neither the caller nor the AI, and since when. */
  readonly humans: readonly Participant[];
  readonly ai: readonly Participant[];
}

const EMPTY: Room = { callSid: "", caller: null, humans: [], ai: [] };

export class Watch implements Observer, Audience, Court {
  readonly violations: Violation[] = [];
  readonly met = new Set<string>();
  readonly plan: Plan;
  readonly incidents: IncidentRules;
  readonly calls = new Map<string, CallRules>();
  /** With two callers nobody can tell from outside whose session and whose socket it is. */
  readonly #heard: HeardRules | null;
  /** In worlds in which engines end. */
  readonly #effects: EffectRules | null;
  #deaths = 0;
  /** Time of what is told now, when that is told later than it was. */
  #toldMs: number | null = null;
  #world: World | null = null;
  #dirty = true;
  #polledMs = 0;
  #rooms: readonly Room[] = [];
  /** Strangers in rooms, since when. */
  readonly #strangers = new Map<string, number>();
  /** Of the model, by its own word. */
  #role: "agent" | "coach" = "agent";

  constructor(plan: Plan) {
    this.plan = plan;
    this.incidents = new IncidentRules(this);
    this.#effects = plan.crashes ? new EffectRules(this) : null;
    this.#heard = plan.callers.length === 1 ? new HeardRules(this) : null;
  }

  /** To be called once, before anything happens. */
  attend(world: World): void {
    this.#world = world;
    const heard = this.#heard;
    const { network, carrier } = world;
    network.tap = (end, direction, text) => {
      if (!heard || !end.url.includes("/twilio/media")) return;
      if (direction === "in") heard.books.received(end, text);
      else {
        heard.books.sent(end, text);
        if (text.startsWith('{"event":"media"')) this.#checkGate();
      }
    };
    network.onSent = (request) => this.incidents.sent(request);
    network.onHandled = (request, status) => {
      // Whoever was asked died over the answer.
      if (status === 0) return;
      if (request.url.startsWith(carrier.url)) this.#dirty = true;
      this.incidents.handled(request, status);
    };
    const { taints } = carrier;
    if (!taints) return;
    taints.onHeard = (number, mask) => {
      if ((mask & Taint.coach) !== 0 && (CALLERS as readonly string[]).includes(number)) {
        this.violate("coach-heard", number);
      }
    };
  }

  get nowMs(): number {
    return this.#toldMs ?? this.#world?.clock.monotonicMs() ?? 0;
  }

  get startedMs(): number {
    return this.#world?.seat.startedMs ?? 0;
  }

  get isDown(): boolean {
    return this.#world?.seat.isDown ?? false;
  }

  violate(rule: string, detail = ""): void {
    if (this.violations.some((each) => each.rule === rule)) return;
    this.violations.push({ rule, atMs: this.nowMs, detail });
    this.#world?.trace.add("VIOLATED", rule, detail);
  }

  reached(what: string): void {
    this.met.add(what);
  }

  // ------------------------------------------------------------------ what the people hear and do

  dialled(callSid: string): void {
    this.calls.set(callSid, new CallRules(this, callSid));
  }

  ear(callSid: string, audible: boolean): void {
    if (audible) this.calls.get(callSid)?.heard();
  }

  callerSpoke(callSid: string): void {
    this.calls.get(callSid)?.spoke();
  }

  callerLeft(callSid: string): void {
    const call = this.calls.get(callSid);
    if (call) call.leftMs ??= this.nowMs;
    this.incidents.callerLeft(callSid);
  }

  rang(number: string, callSid: string): void {
    this.said(`rang ${number} ${callSid}`);
    const call = this.#world?.carrier.state().calls.find(({ sid }) => sid === callSid);
    // It may be over before anybody looks again.
    if (call) this.#effects?.see([call]);
    const about = legIn(call?.statusCallback ?? "");
    const page = about && this.incidents.pages.get(about.callSid, about.label);
    if (page?.leg) this.violate("rung-twice", page.label);
    const unheard = { pickedUpMs: null, machine: false, keys: "", endedMs: null, status: null };
    this.incidents.pages.addLeg(page, { callSid, number, rangMs: this.nowMs, ...unheard });
  }

  pickedUp(callSid: string, machine: boolean): void {
    const leg = this.incidents.pages.leg(callSid);
    if (leg) Object.assign(leg, { pickedUpMs: this.nowMs, machine });
  }

  pressed(callSid: string, key: string): void {
    const leg = this.incidents.pages.leg(callSid);
    if (leg) leg.keys += key;
  }

  gotText(number: string, body: string): void {
    this.#effects?.texted(number, body);
  }

  gotPush(id: string, ackUrl: string): void {
    const { callSid, label } = grantIn(ackUrl);
    this.#effects?.pushed(id, `${callSid}/${label}`, this.#deaths);
  }

  texted(number: string, body: string): void {
    this.incidents.texted(number, body);
  }

  said(what: string): void {
    this.#world?.trace.add("drama", what, "");
  }

  // ------------------------------------------------------------------ what the system does

  log(source: string, level: LogLevel, event: string, fields: LogFields): void {
    if (level === "error" && !this.#isExplained(event))
      this.violate("error-logged", `${source} ${event} ${JSON.stringify(fields)}`);
    if (source !== "carrier") return;
    this.#dirty = true;
    if (event !== "carrier.call.ended") return;
    const leg = this.incidents.pages.leg(String(fields["callSid"]));
    if (leg) Object.assign(leg, { endedMs: this.nowMs, status: String(fields["status"]) });
  }

  /** A model that cannot be reached is an error to the engine, and here the plan's own doing. */
  #isExplained(event: string): boolean {
    return event === "model.failed" && this.plan.faults.some(({ kind }) => kind.startsWith("model"));
  }

  audit(entry: AuditEntry): void {
    const { clock } = this.#world ?? {};
    // A store that commits tells a little later than it was.
    if (this.#effects && clock)
      this.#toldMs = Date.parse(entry.at) - clock.now() + Math.floor(clock.monotonicMs());
    this.incidents.audit(entry);
    this.calls.get(entry.callSid)?.audit(entry);
    if (entry.name === "follow_up.stopped") this.#effects?.stopped(entry.callSid);
    if (entry.name === LOG_CLOSED) this.#effects?.over(entry.callSid);
    this.#toldMs = null;
  }

  journal(entry: JournalEntry): void {
    this.#effects?.journal(entry);
  }

  engineEnded(): void {
    this.#deaths++;
    // Its session of the model ended with it.
    this.#role = "agent";
    this.#dirty = true;
    const states = [...this.calls.values()].flatMap(({ ended, state }) => (ended ? [] : [state]));
    for (const state of states) this.reached(`engine ends in ${state}`);
    if (states.length === 0) this.reached("engine ends without a call");
  }

  row(row: CallRow): void {
    const call = this.calls.get(row.callSid);
    if (call) call.saved(row);
    else this.violate("second-row", row.callSid);
  }

  instructed(instructions: string): void {
    const role = instructions.startsWith("COACH MODE") ? "coach" : "agent";
    if (role === this.#role || !this.#heard) return;
    this.#look();
    this.#role = role;
    const open = this.#room.ai.find(({ muted }) => !muted);
    if (role === "coach" && open) this.violate("role-before-mute", `${open.label} is not muted`);
  }

  played(_streamSid: string, ulaw: Uint8Array): void {
    this.#heard?.played(ulaw);
  }

  // ------------------------------------------------------------------ checks

  /** After every step of the clock. */
  check(): void {
    if (this.#dirty) this.#look();
    const { nowMs } = this;
    if (nowMs - this.#polledMs < POLL_MS) return;
    this.#polledMs = nowMs;
    this.#look();
    this.incidents.check();
    for (const call of this.calls.values()) call.check();
  }

  /** When the last of the callers left; `null`: somebody is still there, or has not dialled yet. */
  get emptyMs(): number | null {
    const left = [...this.calls.values()].map(({ leftMs }) => leftMs);
    if (left.length < this.plan.callers.length || left.includes(null)) return null;
    return Math.max(...left.map(Number));
  }

  /** What is left of all calls; empty when there is nothing. */
  leftovers(): readonly string[] {
    const world = this.#world;
    if (!world) return [];
    const { calls, conferences, streams, pending } = world.carrier.state();
    const { requests, sockets } = world.network.pending;
    const counts: readonly (readonly [string, number])[] = [
      ["engines that are away", world.seat.isDown ? 1 : 0],
      ["writes of the engine", world.seat.unwritten],
      ["calls of the engine", world.engine.supervisor.size],
      ["streams of the engine", world.engine.gateway.live],
      ["conferences", conferences.length],
      ["streams of the carrier", streams.length],
      ["sessions of the model", world.model.sessions().length],
      ["sockets", sockets],
      // While somebody is still sought, phones may ring.
      ...(this.incidents.following
        ? []
        : ([
            ["calls of the carrier", calls.length],
            ["requests", requests],
            ["effects without a result", this.#effects?.open ?? 0],
            ...Object.entries(pending),
          ] as const)),
    ];
    return counts.filter(([, count]) => count > 0).map(([what, count]) => `${count} ${what}`);
  }

  /** When all is over. */
  finish(): void {
    const left = this.leftovers();
    if (left.length > 0) this.violate("left-behind", left.join(", "));
    for (const call of this.calls.values()) {
      call.finish();
      if (call.row) this.#heard?.finish(call.row);
    }
  }

  /** After the engine, the carrier and the model were stopped. */
  stopped(done: boolean, timers: number): void {
    for (const { row } of this.calls.values()) if (row) this.incidents.finish(row);
    this.#effects?.finish();
    if (!done) this.violate("does-not-stop");
    else if (timers > 0) this.violate("timers-left", String(timers));
  }

  /** The room of a world with one caller. */
  get #room(): Room {
    return this.#rooms[0] ?? EMPTY;
  }

  /** Who is in the rooms, by the carrier's own books. */
  #look(): void {
    const world = this.#world;
    this.#dirty = false;
    if (!world) return;
    const { conferences, calls } = world.carrier.state();
    this.#effects?.see(calls);
    this.#rooms = conferences.map(({ friendlyName, participants }) => {
      const callSid = friendlyName.slice("af-".length);
      const inside = participants.filter(({ status }) => status === "connected");
      const ai = inside.filter(({ label }) => label?.startsWith("ai-") === true);
      const caller = inside.find((each) => each.callSid === callSid) ?? null;
      const humans = inside.filter((each) => each !== caller && !ai.includes(each));
      return { callSid, caller, ai, humans };
    });
    for (const call of this.calls.values()) {
      const room = this.#rooms.find(({ callSid }) => callSid === call.callSid) ?? EMPTY;
      const ai = room.ai.some(({ muted, callSidToCoach }) => !muted && callSidToCoach === null);
      const onHold = room.caller?.hold === true;
      call.company = { humans: room.humans.length, ai, aiLegs: room.ai.length, onHold };
      this.#checkHumans(call, room);
    }
    this.#checkWhisper();
  }

  /** Whoever is in the room has pressed a key, and it is theirs. */
  #checkHumans({ callSid, leftMs }: CallRules, { humans }: Room): void {
    const incidents = new Set<number>();
    for (const { callSid: legSid, label } of humans) {
      const leg = this.incidents.pages.leg(legSid);
      const page = this.incidents.pages.get(callSid, label ?? "");
      const incident = page && this.incidents.of(callSid, page.incident);
      if (leg?.machine !== false) this.violate("voicemail-in-room", String(label));
      if (!leg || !/[13]/.test(leg.keys)) this.violate("uninvited", String(label));
      const number = page?.incident ?? 0;
      if (incidents.has(number)) this.violate("two-owners", humans.map((each) => each.label).join(" "));
      incidents.add(number);
      if (!page || !incident) continue;
      incident.letIn.add(page.contact);
      this.reached("human in the room");
      if (incidents.size > 1) this.reached("two humans in the room");
      const welcome = incident.facts.owner?.contact === page.contact && leftMs === null;
      this.#checkStranger(`${baseLabel(label ?? "")}`, legSid, welcome);
    }
  }

  /** Whoever does not own it, or has come to an empty room, does not stay. */
  #checkStranger(label: string, legSid: string, welcome: boolean): void {
    if (welcome) {
      this.#strangers.delete(legSid);
      return;
    }
    const sinceMs = this.#strangers.get(legSid) ?? this.nowMs;
    this.#strangers.set(legSid, sinceMs);
    if (this.nowMs - sinceMs > cancelMs(this.plan, true)) this.violate("stranger-in-room", label);
  }

  /** Between the two roles nothing is sent at all. */
  #checkGate(): void {
    const between = this.#room.ai.some(({ muted, callSidToCoach }) => muted && callSidToCoach !== null);
    if (between) this.violate("speaks-between-roles");
  }

  /** A coach's leg is locked, or open to somebody in particular: never to the room. */
  #checkWhisper(): void {
    if (this.#role !== "coach") return;
    for (const { muted, callSidToCoach, label } of this.#room.ai) {
      if (!muted && callSidToCoach === null) this.violate("whisper-unlocked", `${label} is open to all`);
    }
  }
}
