/**
 * One call in a world of its own, driven step by step: the whole engine on the sandbox's carrier and model, on
 * virtual time. What its actors did is read from the log that the engine keeps of the call.
 */
import type { Persona, ToolUse } from "../../../adapters/sandbox/model/persona.ts";
import type { ActorStep } from "../../../engine/audit/observer.ts";
import type { AuditEntry, CallRow } from "../../../engine/ports.ts";
import { Line } from "../../sim/people.ts";
import { planOf } from "../../sim/draw.ts";
import { callerSpeech, simPersona } from "../../sim/voices.ts";
import { ACCOUNT, buildWorld, CONSOLE_TOKEN, NUMBER, step, type World } from "../../sim/world.ts";
import { machineOf, statesIn } from "./names.ts";
import { CALLER, deploymentOf, Phone, type Setup } from "./setting.ts";
import { Wires } from "./wires.ts";

/** Longer than any deadline that a path waits for. */
const PATIENCE_MS = 200_000;
const ENDING_MS = 90_000;
/** Longer than anything takes on the network. */
const IN_TRANSIT_MS = 2000;
const LOG_SHOWN = 60;

export class Driven {
  readonly world: World;
  readonly wires: Wires;
  callSid = "";
  /** Of every machine: states and edges that were gone through. */
  readonly seen = new Set<string>();
  readonly errors: string[] = [];
  /** Its log, oldest first. */
  readonly entries: AuditEntry[] = [];
  readonly #values = new Map<string, unknown>();
  readonly #log: string[] = [];
  readonly #rung: { readonly number: string; readonly phone: Phone }[] = [];
  readonly #phones = new Map<string, Phone>();
  readonly caller: Line;
  #wants: ToolUse | null = null;
  #finalRows = 0;
  #stopping: Promise<void> | null = null;
  #stopped = false;

  constructor(setup: Setup = {}) {
    const persona: Persona = {
      name: "driven",
      reply: (turn) => {
        const use = this.#wants;
        if (use === null || turn.trigger !== "turn" || !turn.tools.has(use.name))
          return simPersona.reply(turn);
        this.#wants = null;
        const role = turn.standing.startsWith("COACH MODE") ? "coach" : "agent";
        return { say: `${role}: one moment please`, use };
      },
    };
    const plan = { ...planOf(1), callers: [], people: [], faults: [], callsPerSecond: 10 };
    const observer = {
      log: (source: string, level: string, event: string, fields: object) => {
        this.#note(`${source} ${event} ${JSON.stringify(fields)}`);
        if (level === "error") this.errors.push(event);
      },
      audit: (entry: AuditEntry) => this.#audit(entry),
      row: (row: CallRow) => void (this.#finalRows += row.endedAt === null ? 0 : 1),
      instructed: () => undefined,
      played: () => undefined,
    };
    this.world = buildWorld({ ...plan, latencyMs: [2, 15] }, observer, {
      persona,
      engine: (options) => ({ ...options, deployment: deploymentOf(setup) }),
    });
    this.wires = new Wires(this.world.network);
    this.caller = new Line(CALLER, () => undefined);
    this.world.carrier.phones.ring = (number, { callSid }, onOutcome) => {
      const phone = new Phone(number, callSid, onOutcome);
      this.#rung.push({ number, phone });
      this.#phones.set(number, phone);
      this.#note(`${number} rings`);
      return { cancel: () => phone.line.hangUp() };
    };
  }

  #note(text: string): void {
    this.#log.push(`${this.world?.clock.monotonicMs().toFixed(0)} ${text}`);
  }

  #audit(entry: AuditEntry): void {
    const { kind, name, data } = entry;
    this.entries.push(entry);
    this.#note(`${kind} ${name} ${JSON.stringify(data)}`);
    if (kind !== "step") return;
    const { edges, value } = data as unknown as ActorStep;
    this.#values.set(name, value);
    const machine = machineOf(name);
    this.seen.add(machine);
    for (const id of statesIn(machine, value)) this.seen.add(id);
    for (const { source, event, index } of edges) {
      // A state that is left at once is never part of a snapshot.
      this.seen.add(source);
      this.seen.add(`${source}|${event}|${index}`);
    }
  }

  // ------------------------------------------------------------------ time

  /** Time goes on. */
  waits(ms: number): this {
    const untilMs = this.world.clock.monotonicMs() + ms;
    while (step(this.world, untilMs));
    return this;
  }

  /** Time goes on until this is so. */
  until(what: string | (() => boolean), actor = "call"): this {
    const holds = typeof what === "string" ? () => this.isIn(what, actor) : what;
    const untilMs = this.world.clock.monotonicMs() + PATIENCE_MS;
    while (!holds()) {
      if (step(this.world, untilMs)) continue;
      throw new Error(
        `waited in vain for ${actor} ${typeof what === "string" ? what : ""}\n${this.#log.slice(-LOG_SHOWN).join("\n")}`,
      );
    }
    return this;
  }

  /** Until this state was gone through, or the edge with this key. */
  passes(id: string): this {
    return this.until(() => this.seen.has(id), id);
  }

  isIn(state: string, actor = "call"): boolean {
    return statesIn(machineOf(actor), this.#values.get(actor)).includes(`${machineOf(actor)}.${state}`);
  }

  // ------------------------------------------------------------------ people

  dials(): this {
    this.callSid = this.world.carrier.phones.onDial(this.caller, NUMBER).callSid;
    return this;
  }

  leaves(): this {
    this.caller.leave();
    return this;
  }

  /** The next ringing of this number. */
  rings(number: string): Phone {
    const at = (): number => this.#rung.findIndex((each) => each.number === number);
    this.until(() => at() >= 0);
    const [rung] = this.#rung.splice(at(), 1);
    return (rung as { phone: Phone }).phone;
  }

  /** The phone of this number that rang last. */
  phone(number: string): Phone {
    const phone = this.#phones.get(number);
    if (!phone) throw new Error(`${number} has not rung`);
    return phone;
  }

  /** Somebody says something, and the model answers with this tool. */
  model(use: ToolUse): this {
    this.#wants = use;
    this.caller.say(callerSpeech("more", 600));
    return this.until(() => this.#wants === null);
  }

  texts(from: string, body: string): this {
    this.world.carrier.phones.onSms({ from, to: NUMBER, body });
    return this;
  }

  /** Opens the link of the last push, and takes it. */
  followsLink(): this {
    const { ackUrl } = /"ackUrl":"(?<ackUrl>[^"]+)"/.exec(this.wires.sent.join("\n"))?.groups ?? {};
    void this.wires.aside(ackUrl ?? "", { method: "POST" });
    return this;
  }

  operator(command: string, fields: object = {}): this {
    const url = `${this.world.engine.origin}/api/calls/${this.callSid}/commands`;
    const headers = { authorization: `Bearer ${CONSOLE_TOKEN}` };
    let status = 0;
    void this.wires
      .aside(url, { method: "POST", body: JSON.stringify({ command, ...fields }), headers })
      .then((response) => (status = response.status));
    this.until(() => status !== 0);
    if (status !== 202) throw new Error(`${command} was answered with ${status}`);
    return this;
  }

  // ------------------------------------------------------------------ trouble

  /** Somebody else changes this at the carrier. */
  elsewhere(path: string, fields: Readonly<Record<string, string>>): this {
    const { carrier } = this.world;
    const url = `${carrier.url}/2010-04-01/Accounts/${ACCOUNT.accountSid}/${path}.json`;
    const headers = {
      authorization: `Basic ${btoa(`${ACCOUNT.accountSid}:${ACCOUNT.authToken}`)}`,
      "content-type": "application/x-www-form-urlencoded",
    };
    let status = 0;
    void this.wires
      .aside(url, { method: "POST", body: new URLSearchParams(fields).toString(), headers })
      .then((response) => (status = response.status));
    this.until(() => status !== 0);
    if (status >= 300) throw new Error(`${path} was answered with ${status}`);
    return this;
  }

  /** The participant's record at the carrier. */
  participant(label: string) {
    const [conference] = this.world.carrier.state().conferences;
    const found = conference?.participants.find((each) => each.label === label);
    if (!conference || !found) throw new Error(`${label} is not in the room`);
    return { conferenceSid: conference.sid, ...found };
  }

  isInRoom(label: string): boolean {
    const [conference] = this.world.carrier.state().conferences;
    return (
      conference?.participants.some((each) => each.label === label && each.status === "connected") === true
    );
  }

  /** Somebody else changes a participant. */
  changes(label: string, fields: Readonly<Record<string, string>>): this {
    const { conferenceSid, callSid } = this.participant(label);
    return this.elsewhere(`Conferences/${conferenceSid}/Participants/${callSid}`, fields);
  }

  /** Somebody else hangs a participant's call up. */
  hangsUp(label: string): this {
    return this.elsewhere(`Calls/${this.participant(label).callSid}`, { Status: "completed" });
  }

  dropsMedia(): this {
    this.world.network.drop("/twilio/media");
    return this;
  }

  dropsModel(): this {
    this.world.network.drop("/v1/realtime");
    return this;
  }

  /** The engine is told to stop at once. */
  shutsDown(): this {
    void this.#stop();
    return this;
  }

  #stop(): Promise<void> {
    this.#stopping ??= this.world.engine.stop(0);
    return this.#stopping;
  }

  // ------------------------------------------------------------------ the end

  /** Whoever is left leaves, and all is put right: what is left of the call then, and what was logged. */
  ends(): readonly string[] {
    const { world } = this;
    this.wires.clear();
    world.model.faults.clear();
    world.network.onConnect = () => false;
    this.caller.leave();
    for (const { phone } of this.#rung) phone.line.leave();
    const untilMs = world.clock.monotonicMs() + ENDING_MS;
    while (this.#leftovers().length > 0 && step(world, untilMs));
    const left = this.#leftovers().map((what) => `left: ${what}`);
    if (this.#finalRows === 0) left.push("no row");
    const close = async (): Promise<void> => {
      await this.#stop();
      await world.carrier.stop();
      await world.model.stop();
      this.#stopped = true;
    };
    void close();
    const stopMs = world.clock.monotonicMs() + ENDING_MS;
    while (!this.#stopped && step(world, stopMs));
    const arrivedMs = world.clock.monotonicMs() + IN_TRANSIT_MS;
    while (step(world, arrivedMs));
    if (!this.#stopped) left.push("does not stop");
    if (world.clock.pendingTimers > 0) left.push(`${world.clock.pendingTimers} timers`);
    return left;
  }

  #leftovers(): readonly string[] {
    const { carrier, engine, model } = this.world;
    const { calls, conferences, streams } = carrier.state();
    const counts = {
      "calls of the engine": engine.supervisor.size,
      "streams of the engine": engine.gateway.live,
      "calls of the carrier": calls.length,
      conferences: conferences.length,
      streams: streams.length,
      "sessions of the model": model.sessions().length,
    };
    return Object.entries(counts).flatMap(([what, count]) => (count > 0 ? [`${count} ${what}`] : []));
  }
}
