/** What `GET /sandbox/state` answers: everything alive in the carrier, and what it has counted. */
import type { RestContext } from "./rest/context.ts";
import type { Alert } from "./alerts.ts";

export interface CarrierState {
  readonly calls: readonly {
    readonly sid: string;
    readonly status: string;
    readonly direction: string;
    readonly from: string;
    readonly to: string;
    readonly parentSid: string | null;
    /** Where its progress is reported. */
    readonly statusCallback: string | null;
  }[];
  readonly conferences: readonly {
    readonly sid: string;
    readonly friendlyName: string;
    readonly status: string;
    readonly region: string;
    readonly participants: readonly {
      readonly callSid: string;
      readonly label: string | null;
      readonly status: string;
      readonly muted: boolean;
      readonly hold: boolean;
      readonly coaching: boolean;
      readonly callSidToCoach: string | null;
    }[];
  }[];
  readonly streams: readonly {
    readonly streamSid: string;
    readonly callSid: string;
    readonly stats: object;
  }[];
  /** What is still to happen: all zero when the carrier is idle. */
  readonly pending: {
    readonly queuedCalls: number;
    readonly timers: number;
    readonly webhooks: number;
    readonly callbacks: number;
    readonly ticking: number;
  };
  readonly alerts: readonly Alert[];
  readonly counters: Readonly<Record<string, number>>;
  readonly phones: Readonly<Record<string, number>>;
}

export function carrierState(
  context: RestContext,
  more: { readonly ticking: number; readonly phones: Readonly<Record<string, number>> },
): CarrierState {
  const { core } = context;
  return {
    calls: context.calls.live().map((call) => ({
      sid: call.sid,
      status: call.status,
      direction: call.direction,
      from: call.from,
      to: call.to,
      parentSid: call.parentSid,
      statusCallback: call.subscription?.target.url ?? null,
    })),
    conferences: context.conferences.active().map((conference) => ({
      sid: conference.sid,
      friendlyName: conference.friendlyName,
      status: conference.status,
      region: conference.region,
      participants: conference.participants().map((p) => ({
        callSid: p.call.sid,
        label: p.label,
        status: p.status,
        muted: p.muted,
        hold: p.hold,
        coaching: p.coachOf !== null,
        callSidToCoach: p.coachOf,
      })),
    })),
    streams: context.streams.live(),
    pending: {
      queuedCalls: context.dialer.queued,
      timers: core.timers.size,
      webhooks: core.webhooks.inFlight,
      callbacks: core.callbacks.pending,
      ticking: more.ticking,
    },
    alerts: core.alerts.list(),
    counters: core.tally.snapshot(),
    phones: more.phones,
  };
}
