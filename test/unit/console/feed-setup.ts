/** Viewers of real calls on fake ports: their sockets keep what they are told. */
import { Switchboard } from "../../../engine/console/switchboard.ts";
import type { DeltaMessage, FeedText, SnapshotMessage } from "../../../engine/console/protocol.ts";
import { type ViewerData, Viewers, type ViewerSocket } from "../../../engine/console/viewers.ts";
import { Views } from "../../../engine/console/views.ts";
import type { Who } from "../../../engine/console/who.ts";
import { type Calls, type CallsOptions, makeCalls } from "../call/calls-setup.ts";

export const OPERATOR: Who = { name: "ann", role: "operator", via: "console" };
export const VIEWER: Who = { name: "bob", role: "viewer", via: "console" };

export class FakeViewer implements ViewerSocket {
  readonly data: ViewerData;
  readonly texts: FeedText[] = [];
  /** Bytes that wait for them. */
  waiting = 0;
  /** Sends that are answered as if the socket were full. */
  full = false;
  closed: number | null = null;

  constructor(data: ViewerData) {
    this.data = data;
  }

  send(text: string): number {
    if (this.full) return 0;
    this.texts.push(JSON.parse(text) as FeedText);
    return text.length;
  }

  getBufferedAmount(): number {
    return this.waiting;
  }

  close(code: number): void {
    this.closed = code;
  }

  of<T extends FeedText["type"]>(type: T): Extract<FeedText, { readonly type: T }>[] {
    return this.texts.filter((text): text is Extract<FeedText, { readonly type: T }> => text.type === type);
  }

  get snapshots(): readonly SnapshotMessage[] {
    return this.of("snapshot");
  }

  get deltas(): readonly DeltaMessage[] {
    return this.of("delta");
  }
}

export function makeViewers(options: CallsOptions = {}) {
  const calls: Calls = makeCalls({ ...options, onEntry: (entry) => viewers.entry(entry) });
  const { supervisor, escalations, clock, log } = calls;
  const switchboard = new Switchboard({ calls: () => supervisor.all(), escalations });
  const views = new Views(clock, log);
  const call = (callSid: string) => supervisor.get(callSid);
  const viewers: Viewers = new Viewers({ switchboard, call, views, clock, log });
  const join = (who: Who = OPERATOR): FakeViewer => {
    const data = viewers.admit(who);
    if (!data) throw new Error("there was no room for the viewer");
    const socket = new FakeViewer(data);
    viewers.open(socket);
    return socket;
  };
  const watch = (socket: FakeViewer, callSid: string | null): void =>
    viewers.message(socket, JSON.stringify({ watch: callSid }));
  return { ...calls, switchboard, viewers, join, watch };
}
