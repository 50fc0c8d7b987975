/**
 * What all live calls and incidents look like, kept as JSON text by its parts: each look finds what has changed
 * since the last, and a snapshot is put together from what is there. Everybody who may see the same shares a text.
 */
import type { CallSession } from "../call/call-session.ts";
import type { Escalations } from "../call/escalations.ts";
import { redactAddress, REDACTED } from "../platform/redact.ts";
import { incidentViewOf, roomOf, shownLevel, standingOf } from "./glimpse.ts";
import type { IncidentKey } from "./protocol.ts";

/** `all`: everything; `redacted`: without numbers and words. */
export type Shown = "all" | "redacted";
export type Texts = Readonly<Record<Shown, string>>;

export interface SwitchboardOptions {
  /** Each list stays as it is: a look goes through it in several turns. */
  readonly calls: () => readonly LiveSession[];
  readonly escalations: Pick<Escalations, "open">;
}

export type LiveSession = Pick<CallSession, "callSid" | "from" | "standing"> & {
  readonly heard: Omit<CallSession["heard"], "speakers">;
};

/** Looked at more closely in one look; the others wait for the next, so that none of them takes long. */
const MAX_CHANGED = 100;
/** In one turn of a look: a frame that is due waits for no more than that. */
const TURN_CALLS = 125;
const TURN_CHANGED = 20;
/** Asked how loud they are in one look, in turn: of few calls all, of very many each every few seconds. */
const MAX_LEVELS = 64;
const GROUPS = ["now", "room", "turn", "levels"] as const;
type Group = (typeof GROUPS)[number];

interface KnownCall {
  readonly session: LiveSession;
  /** `"callSid":…,"startedAtMs":…,"from":…`. */
  readonly head: Texts;
  standing: LiveSession["standing"] | null;
  turn: LiveSession["heard"]["lastTurn"];
  readonly groups: Record<Group, string>;
}

interface KnownIncident {
  readonly incident: object;
  readonly following: boolean;
  readonly text: Texts;
}

export class Switchboard {
  readonly #options: SwitchboardOptions;
  readonly #calls = new Map<string, KnownCall>();
  readonly #incidents = new Map<IncidentKey, KnownIncident>();
  #next = 0;
  #nextLevel = 0;
  /** How many changes waited for a later look. */
  readonly counters = { changesDeferred: 0 };

  constructor(options: SwitchboardOptions) {
    this.#options = options;
  }

  /** Goes through all calls, as far as it gets in a turn; returns what has changed since the last look, `null`: nothing. */
  *look(nowMs: number): Generator<void, Texts | null, void> {
    const sessions = this.#options.calls();
    const calls: Texts[] = [];
    // Each time from another one on, so that nobody waits for ever when very much happens.
    const first = this.#next % Math.max(1, sessions.length);
    let [looked, changed] = [0, 0];
    for (let i = 0; i < sessions.length; i++) {
      const session = sessions[(first + i) % sessions.length] as LiveSession;
      if (calls.length >= MAX_CHANGED) {
        this.counters.changesDeferred++;
        this.#next = (first + i) % sessions.length;
        break;
      }
      const change = this.#lookAt(session);
      if (change) calls.push(change);
      if (++looked < TURN_CALLS && calls.length - changed < TURN_CHANGED) continue;
      [looked, changed] = [0, calls.length];
      yield;
    }
    this.#addLevels(sessions, calls);
    const gone = this.#forgetOver(sessions);
    const { incidents, closed } = this.#lookAtIncidents();
    if (calls.length + gone.length + incidents.length + closed.length === 0) return null;
    const text = (shown: Shown): string =>
      `{"type":"delta","nowMs":${nowMs},"calls":${list(calls, shown)},"gone":${JSON.stringify(gone)},` +
      `"incidents":${list(incidents, shown)},"closed":${JSON.stringify(closed)}}`;
    return new Lazy(text);
  }

  /** All that was seen up to the last look. `missed`: see the protocol. */
  snapshot(nowMs: number, shown: Shown, missed: number): string {
    const calls = [...this.#calls.values()].map((known) => whole(known));
    const incidents = [...this.#incidents.values()].map(({ text }) => text);
    return (
      `{"type":"snapshot","nowMs":${nowMs},"missed":${missed},` +
      `"calls":${list(calls, shown)},"incidents":${list(incidents, shown)}}`
    );
  }

  /** Nobody looks any more. */
  clear(): void {
    this.#calls.clear();
    this.#incidents.clear();
    this.#next = 0;
    this.#nextLevel = 0;
  }

  #addLevels(sessions: readonly LiveSession[], calls: Texts[]): void {
    const asked = Math.min(MAX_LEVELS, sessions.length);
    for (let i = 0; i < asked; i++) {
      const session = sessions[this.#nextLevel++ % sessions.length] as LiveSession;
      const known = this.#calls.get(session.callSid);
      const text = known ? levelsOf(session) : "";
      if (!known || known.groups.levels === text) continue;
      known.groups.levels = text;
      const change = `{"callSid":"${session.callSid}","levels":${text}}`;
      calls.push({ all: change, redacted: change });
    }
  }

  #lookAt(session: LiveSession): Texts | null {
    const known = this.#calls.get(session.callSid);
    if (known?.session !== session) return this.#begin(session);
    const changed: string[] = [];
    const set = (group: Group, text: string): void => {
      if (known.groups[group] === text) return;
      known.groups[group] = text;
      changed.push(`"${group}":${text}`);
    };
    if (known.standing !== session.standing) {
      known.standing = session.standing;
      const { context, value } = session.standing;
      set("now", JSON.stringify(standingOf(context, value)));
      set("room", JSON.stringify(roomOf(context)));
    }
    const { lastTurn } = session.heard;
    if (known.turn !== lastTurn) {
      known.turn = lastTurn;
      set("turn", JSON.stringify(lastTurn));
    }
    if (changed.length === 0) return null;
    const text = `{"callSid":"${session.callSid}",${changed.join(",")}}`;
    return { all: text, redacted: text };
  }

  #begin(session: LiveSession): Texts {
    const { callSid, from, standing, heard } = session;
    const { context, value } = standing;
    const known: KnownCall = {
      session,
      head: both((shown) => {
        const shownFrom = JSON.stringify(shown === "all" ? from : redactAddress(from));
        return `"callSid":"${callSid}","startedAtMs":${context.startedAtMs},"from":${shownFrom}`;
      }),
      standing,
      turn: heard.lastTurn,
      groups: {
        now: JSON.stringify(standingOf(context, value)),
        room: JSON.stringify(roomOf(context)),
        turn: JSON.stringify(heard.lastTurn),
        levels: levelsOf(session),
      },
    };
    this.#calls.set(callSid, known);
    return whole(known);
  }

  #forgetOver(sessions: readonly LiveSession[]): string[] {
    // Whoever is new is known by now, or waits for the next look, as does then whoever has gone.
    if (this.#calls.size <= sessions.length) return [];
    const live = new Set(sessions.map(({ callSid }) => callSid));
    const gone: string[] = [];
    for (const callSid of this.#calls.keys()) if (!live.has(callSid)) gone.push(callSid);
    for (const callSid of gone) this.#calls.delete(callSid);
    return gone;
  }

  #lookAtIncidents(): { readonly incidents: Texts[]; readonly closed: IncidentKey[] } {
    const incidents: Texts[] = [];
    const there = new Set<IncidentKey>();
    for (const { callSid, following, incidents: all } of this.#options.escalations.open()) {
      for (const incident of all) {
        const key = `${callSid}/${incident.number}`;
        there.add(key);
        const known = this.#incidents.get(key);
        if (known?.incident === incident && known.following === following) continue;
        if (incidents.length >= MAX_CHANGED) {
          this.counters.changesDeferred++;
          continue;
        }
        const view = incidentViewOf(callSid, following, incident);
        const redacted = { ...view, reason: view.reason === null ? null : REDACTED };
        const text = new Lazy((shown) => JSON.stringify(shown === "all" ? view : redacted));
        this.#incidents.set(key, { incident, following, text });
        incidents.push(text);
      }
    }
    const closed = [...this.#incidents.keys()].filter((key) => !there.has(key));
    for (const key of closed) this.#incidents.delete(key);
    return { incidents, closed };
  }
}

function levelsOf({ heard }: LiveSession): string {
  const [caller, agent] = heard.peaks();
  return `[${shownLevel(caller)},${shownLevel(agent)}]`;
}

function whole({ head, groups }: KnownCall): Texts {
  const rest = GROUPS.map((group) => `"${group}":${groups[group]}`).join(",");
  return new Lazy((shown) => `{${head[shown]},${rest}}`);
}

/** Made when it is asked for: mostly all who look may see the same. */
export class Lazy implements Texts {
  readonly #make: (shown: Shown) => string;
  #all: string | null = null;
  #redacted: string | null = null;

  constructor(make: (shown: Shown) => string) {
    this.#make = make;
  }

  get all(): string {
    return (this.#all ??= this.#make("all"));
  }

  get redacted(): string {
    return (this.#redacted ??= this.#make("redacted"));
  }
}

function both(text: (shown: Shown) => string): Texts {
  return { all: text("all"), redacted: text("redacted") };
}

function list(texts: readonly Texts[], shown: Shown): string {
  return `[${texts.map((text) => text[shown]).join(",")}]`;
}
