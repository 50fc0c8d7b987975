import { CarrierError, ConfigError, type ConfigIssue } from "../../engine/errors.ts";
import type { Network } from "../../engine/platform/network.ts";
import { Reach } from "../../engine/platform/reach.ts";
import type {
  CallInfo,
  CallPatch,
  Carrier,
  Clock,
  CreateCall,
  CreateParticipant,
  FoundCall,
  FoundMessage,
  Ids,
  Log,
  ParticipantInfo,
  ParticipantPatch,
  ParticipantRef,
  SendMessage,
  Sought,
} from "../../engine/ports.ts";
import { resolveEndpoint } from "./endpoint.ts";
import * as request from "./requests.ts";
import { Requester, type Operation } from "./requester.ts";
import * as resource from "./resources.ts";
import type { RestConnection } from "./rest-client.ts";

export interface TwilioCarrierOptions {
  readonly accountSid: string;
  readonly authToken: string;
  /** REST uses key and secret instead of the auth token when both are given. */
  readonly apiKey?: string | undefined;
  readonly apiSecret?: string | undefined;
  /** Processing region: `us1` (default), `ie1` or `au1`. Credentials belong to one region. */
  readonly region?: string | undefined;
  readonly edge?: string | undefined;
  /** Any host that speaks Twilio's REST API, with an optional path; wins over region and edge. */
  readonly baseUrl?: string | undefined;
  /** Budget of `createCall` and `createParticipant`. Default 1, Twilio's own default. */
  readonly callsPerSecond?: number;
  /** Orders requests that wait for the budget: the highest number first. Default: first come, first served. */
  readonly priorityOf?: (input: CreateCall | CreateParticipant) => number;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** Per request. Default 10 000. */
  readonly timeoutMs?: number;
  /** Requests per operation, the first one included. Default 5. */
  readonly maxAttempts?: number;
  /** Requests that may wait for the budget; more are refused. Default 200. */
  readonly maxBudgetQueue?: number;
  /** Default: sockets of the SDK's own. */
  readonly network?: Network;
}

export interface TwilioCarrier extends Carrier {
  /** Loads the SDK ahead of the first request; blocks the process for 100 to 300 ms. */
  warm(): Promise<void>;
  /** Whether Twilio answers. */
  readonly reach: Reach;
}

/**
 * The port `Carrier` on the `twilio` package. Throws `ConfigError` for options that cannot work; makes no
 * request and loads nothing by itself.
 */
export function createTwilioCarrier(options: TwilioCarrierOptions): TwilioCarrier {
  checkOptions(options);
  const [username, password] = restCredentials(options);
  const endpoint = resolveEndpoint(options);
  const reach = new Reach(options.clock);
  const requester = new Requester({
    reach,
    connect: async () => {
      const { connectTwilio } = await import("./rest-client.ts");
      const { accountSid, clock, network, timeoutMs = 10_000 } = options;
      return connectTwilio({
        accountSid,
        username,
        password,
        endpoint,
        timeoutMs,
        clock,
        network,
      });
    },
    callsPerSecond: options.callsPerSecond ?? 1,
    maxBudgetQueue: options.maxBudgetQueue ?? 200,
    maxAttempts: options.maxAttempts ?? 5,
    clock: options.clock,
    ids: options.ids,
    log: options.log,
  });
  return new RestCarrier(requester, reach, options.log, options.priorityOf ?? (() => 0));
}

/** What REST requests are authenticated with. */
export function restCredentials(
  of: Pick<TwilioCarrierOptions, "accountSid" | "authToken" | "apiKey" | "apiSecret">,
): readonly [username: string, password: string] {
  return of.apiKey && of.apiSecret ? [of.apiKey, of.apiSecret] : [of.accountSid, of.authToken];
}

/** Creates of one participant when the outcome of the one before stayed unknown. */
const MAX_CREATES = 3;
/** A conference holds 250 participants at most. */
const MAX_PARTICIPANTS = 250;
/** Twilio lists the newest first. */
const LISTED_CALLS = 50;
const LISTED_MESSAGES = 100;
const LABEL_IN_USE = 16025;
const INVALID_CALL_STATE = 21220;

class RestCarrier implements TwilioCarrier {
  readonly reach: Reach;
  readonly #requester: Requester;
  readonly #log: Log;
  readonly #priorityOf: (input: CreateCall | CreateParticipant) => number;

  constructor(
    requester: Requester,
    reach: Reach,
    log: Log,
    priorityOf: (input: CreateCall | CreateParticipant) => number,
  ) {
    this.reach = reach;
    this.#requester = requester;
    this.#log = log;
    this.#priorityOf = priorityOf;
  }

  async warm(): Promise<void> {
    await this.#requester.connect();
  }

  /**
   * Creates have no idempotency key, but labels are unique in a conference: when the outcome of a create is
   * unknown, the label tells whether it took effect, and keeps a repeated one from adding a second leg.
   */
  async createParticipant(input: CreateParticipant, signal?: AbortSignal): Promise<ParticipantInfo> {
    for (let creates = 1; ; creates++) {
      try {
        return await this.#createParticipantOnce(input, signal);
      } catch (error) {
        if (!(error instanceof CarrierError)) throw error;
        const inUse = creates > 1 && error.code === LABEL_IN_USE;
        if (!error.ambiguous && !inUse) throw creates > 1 ? inDoubt(error) : error;
        const found = await this.#findByLabel(input).catch(() => "unknown" as const);
        if (found !== null && found !== "unknown") return this.#reconciled(found);
        if (found === "unknown" || inUse || creates >= MAX_CREATES) throw inDoubt(error);
        if ((await this.#requester.backOff(creates)) === "closed") throw inDoubt(error);
      }
    }
  }

  async updateParticipant(ref: ParticipantRef, patch: ParticipantPatch): Promise<ParticipantInfo> {
    // An announcement would be heard twice; everything else sets a value.
    const kind = patch.announceUrl === undefined ? "idempotent" : "once";
    const operation: Operation = { name: "updateParticipant", kind };
    const [path, options] = this.#requester.prepare(operation, () => [
      request.participantPath(ref),
      request.participantPatch(patch),
    ]);
    return this.#requester.run(operation, async (account) =>
      resource.toParticipant(await participantAt(account, path).update(options)),
    );
  }

  async removeParticipant(ref: ParticipantRef): Promise<"removed" | "gone"> {
    const operation: Operation = { name: "removeParticipant", kind: "idempotent" };
    const path = this.#requester.prepare(operation, () => request.participantPath(ref));
    const removed = this.#requester.run(operation, async (account) => {
      await participantAt(account, path).remove();
      return "removed" as const;
    });
    return orIfGone(removed, "gone" as const);
  }

  async fetchParticipant(ref: ParticipantRef): Promise<ParticipantInfo | null> {
    const operation: Operation = { name: "fetchParticipant", kind: "read" };
    const path = this.#requester.prepare(operation, () => request.participantPath(ref));
    const fetched = this.#requester.run(operation, async (account) =>
      resource.toParticipant(await participantAt(account, path).fetch()),
    );
    return orIfGone(fetched, null);
  }

  async listParticipants(conferenceSid: string): Promise<readonly ParticipantInfo[]> {
    const operation: Operation = { name: "listParticipants", kind: "read" };
    const sid = this.#requester.prepare(operation, () => request.conferenceSid(conferenceSid));
    const listed = this.#requester.run(operation, async (account) => {
      const page = { pageSize: MAX_PARTICIPANTS, limit: MAX_PARTICIPANTS };
      return (await account.conferences(sid).participants.list(page)).map(resource.toParticipant);
    });
    return orIfGone(listed, []);
  }

  async findConference(friendlyName: string): Promise<string | null> {
    const operation: Operation = { name: "findConference", kind: "read" };
    this.#requester.prepare(operation, () => request.conferenceSegment(friendlyName));
    // The filter takes one status, and a conference that waits for its second participant is `init`.
    for (const status of ["in-progress", "init"] as const) {
      const sid = await this.#requester.run(operation, async (account) => {
        const found = await account.conferences.list({ friendlyName, status, limit: 20 });
        // Not every host that speaks this API heeds both filters.
        return found.find((each) => each.friendlyName === friendlyName && each.status === status)?.sid;
      });
      if (sid !== undefined) return sid;
    }
    return null;
  }

  async endConference(conferenceSid: string): Promise<"ended" | "gone"> {
    const operation: Operation = { name: "endConference", kind: "idempotent" };
    const sid = this.#requester.prepare(operation, () => request.conferenceSid(conferenceSid));
    const ended = this.#requester.run(operation, async (account) => {
      await account.conferences(sid).update({ status: "completed" });
      return "ended" as const;
    });
    return orIfGone(ended, "gone" as const);
  }

  async createCall(input: CreateCall, signal?: AbortSignal): Promise<CallInfo> {
    const operation = this.#create("createCall", input, signal);
    const options = this.#requester.prepare(operation, () => request.callOptions(input));
    return this.#requester.run(operation, async (account) =>
      resource.toCall(await account.calls.create(options)),
    );
  }

  async updateCall(callSid: string, patch: CallPatch): Promise<CallInfo | null> {
    // Ending a call twice ends it once, but a second redirect pulls it out of where the first one put it.
    const kind = patch.url === undefined && patch.twiml === undefined ? "idempotent" : "once";
    const operation: Operation = { name: "updateCall", kind };
    const [sid, options] = this.#requester.prepare(operation, () => [
      request.callSid(callSid),
      request.callPatch(patch),
    ]);
    const updated = this.#requester.run(operation, async (account) =>
      resource.toCall(await account.calls(sid).update(options)),
    );
    try {
      return await orIfGone(updated, null);
    } catch (error) {
      if (!(error instanceof CarrierError) || error.code !== INVALID_CALL_STATE) throw error;
      const call = await this.fetchCall(callSid);
      if (call !== null && !resource.isOver(call)) throw error;
      return null;
    }
  }

  async fetchCall(callSid: string): Promise<CallInfo | null> {
    const operation: Operation = { name: "fetchCall", kind: "read" };
    const sid = this.#requester.prepare(operation, () => request.callSid(callSid));
    const fetched = this.#requester.run(operation, async (account) =>
      resource.toCall(await account.calls(sid).fetch()),
    );
    return orIfGone(fetched, null);
  }

  async sendMessage(
    input: SendMessage,
    signal?: AbortSignal,
  ): Promise<{ readonly messageSid: string; readonly status: string }> {
    const operation: Operation = { name: "sendMessage", kind: "once", signal };
    const options = this.#requester.prepare(operation, () => request.messageOptions(input));
    return this.#requester.run(operation, async (account) =>
      resource.toMessage(await account.messages.create(options)),
    );
  }

  async findCalls(sought: Sought): Promise<readonly FoundCall[]> {
    const operation: Operation = { name: "findCalls", kind: "read" };
    const { to, from } = this.#requester.prepare(operation, () => request.soughtEnds(sought));
    // Not by time: that filter knows when a call was answered, and one that still waits or rings has no such time.
    const page = { to, from, limit: LISTED_CALLS, pageSize: LISTED_CALLS };
    return await this.#requester.run(operation, async (account) =>
      since(sought, (await account.calls.list(page)).map(resource.toFoundCall)),
    );
  }

  async findMessages(sought: Sought): Promise<readonly FoundMessage[]> {
    const operation: Operation = { name: "findMessages", kind: "read" };
    const { to, from } = this.#requester.prepare(operation, () => request.soughtEnds(sought));
    // Not by time, for the same reason: one that waits to be sent has none.
    const page = { to, from, limit: LISTED_MESSAGES, pageSize: LISTED_MESSAGES };
    return await this.#requester.run(operation, async (account) =>
      since(sought, (await account.messages.list(page)).map(resource.toFoundMessage)),
    );
  }

  counters(): Readonly<Record<string, number>> {
    return this.#requester.counters();
  }

  close(): Promise<void> {
    return this.#requester.close();
  }

  #create(name: string, input: CreateCall | CreateParticipant, signal: AbortSignal | undefined): Operation {
    return { name, kind: "once", budgetPriority: this.#priorityOf(input), signal };
  }

  async #createParticipantOnce(
    input: CreateParticipant,
    signal: AbortSignal | undefined,
  ): Promise<ParticipantInfo> {
    const operation = this.#create("createParticipant", input, signal);
    const [conference, options] = this.#requester.prepare(operation, () => [
      request.conferenceSegment(input.conference),
      request.participantOptions(input),
    ]);
    return this.#requester.run(operation, async (account) =>
      resource.toParticipant(await account.conferences(conference).participants.create(options)),
    );
  }

  async #findByLabel(input: CreateParticipant): Promise<ParticipantInfo | null> {
    const { conference, label } = input;
    const conferenceSid = request.isConferenceSid(conference)
      ? conference
      : await this.findConference(conference);
    return conferenceSid === null ? null : this.fetchParticipant({ conferenceSid, participant: label });
  }

  #reconciled(found: ParticipantInfo): ParticipantInfo {
    this.#requester.count("reconciled");
    this.#log.info("carrier.reconciled", { operation: "createParticipant", callSid: found.callSid });
    return found;
  }
}

/** What is not too old, oldest first. Twilio's dates are of whole seconds. */
function since<T extends { readonly createdMs: number }>(
  { sinceMs }: Sought,
  found: readonly (T | null)[],
): readonly T[] {
  const fromMs = Math.floor(sinceMs / 1000) * 1000;
  const fresh = found.filter((each): each is T => each !== null && each.createdMs >= fromMs);
  return fresh.toReversed().toSorted((a, b) => a.createdMs - b.createdMs);
}

function participantAt(
  account: RestConnection["account"],
  path: { readonly conference: string; readonly participant: string },
) {
  return account.conferences(path.conference).participants(path.participant);
}

/** The same error, but an earlier attempt may have taken effect. */
function inDoubt(error: CarrierError): CarrierError {
  if (error.ambiguous) return error;
  const { status, code, retryable, operation } = error;
  return new CarrierError(error.message, { status, code, retryable, ambiguous: true, operation });
}

/** `gone` for a 404: what is addressed has left, which is an answer and no error. */
async function orIfGone<T, G>(result: Promise<T>, gone: G): Promise<T | G> {
  try {
    return await result;
  } catch (error) {
    if (error instanceof CarrierError && error.status === 404) return gone;
    throw error;
  }
}

function checkOptions(options: TwilioCarrierOptions): void {
  const issues: ConfigIssue[] = [];
  const check = (ok: boolean, name: string, problem: string, fix: string): void => {
    if (!ok) issues.push({ name, problem, fix });
  };
  const rate = options.callsPerSecond ?? 1;
  const accountSid = /^AC[0-9a-fA-F]{32}$/.test(options.accountSid);
  const anAccountSid = "copy the Account SID from the Twilio console: AC and 32 hexadecimal digits";
  check(accountSid, "TWILIO_ACCOUNT_SID", "is not an account sid", anAccountSid);
  check(options.authToken !== "", "TWILIO_AUTH_TOKEN", "is empty", "copy the primary auth token");
  const bothOrNone = !options.apiKey === !options.apiSecret;
  check(bothOrNone, "TWILIO_API_KEY", "and TWILIO_API_SECRET belong together", "set both or neither");
  const rateOk = Number.isFinite(rate) && rate > 0 && rate <= 1000;
  check(rateOk, "TWILIO_CALLS_PER_SECOND", "is not a rate", "give a number above 0, such as 1");
  if (issues.length > 0) throw new ConfigError(issues);
}
