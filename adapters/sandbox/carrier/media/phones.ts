import { errorText, InvariantError } from "../../../../engine/errors.ts";
import type { Clock, Log } from "../../../../engine/ports.ts";
import type { Hearing, PhoneHub, PhoneLine, RingHandle, RingOutcome, Speech } from "../../types.ts";
import { Inboxes, type StoredSms } from "./inboxes.ts";
import { PhoneConnection, type PhoneDesk, type PhoneSocket } from "./phone-connection.ts";
import { newPhoneTally } from "./phone-tally.ts";
import { ScriptedPhones, type PhoneScripts } from "./scripted-phones.ts";

/** `data` of a phone's socket. */
export interface PhoneSocketData {
  readonly kind: "phone";
  connection: PhoneConnection | null;
}

type Socket = PhoneSocket & { readonly data: PhoneSocketData };

const MAX_PHONES = 1_000;

/**
 * All phones of the sandbox: connected ones (people and programs) come before scripted ones of the same
 * number.
 */
export class Phones implements PhoneHub {
  onDial: PhoneHub["onDial"] = () => {
    throw new InvariantError("dial: the carrier takes no calls yet");
  };
  onSms: PhoneHub["onSms"] = () => undefined;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #hearing: Hearing;
  readonly #scripted: ScriptedPhones;
  readonly #connections = new Set<PhoneConnection>();
  readonly #byNumber = new Map<string, PhoneConnection>();
  readonly #timers = new Set<unknown>();
  readonly #tally = newPhoneTally();
  readonly #inboxes = new Inboxes((messages) => (this.#tally.smsDropped += messages));
  readonly #desk: PhoneDesk = {
    claim: (number, by) => this.#claim(number, by),
    dial: (line, to) => this.onDial(line, to),
    voicemail: (number) => this.#scripted.voicemail(number),
    gone: (connection) => this.#gone(connection),
    sendSms: (from, to, body) => this.sendSms(from, to, body),
  };
  #stopped = false;

  constructor(options: {
    readonly clock: Clock;
    readonly log: Log;
    readonly hearing: Hearing;
    readonly speech: Speech;
  }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#hearing = options.hearing;
    this.#scripted = new ScriptedPhones(options);
  }

  /** For `Bun.serve`. Messages over `maxPayloadLength` close the socket (1009). */
  readonly websocket = {
    data: {} as PhoneSocketData,
    maxPayloadLength: 2 * 1024 * 1024,
    backpressureLimit: 512 * 1024,
    closeOnBackpressureLimit: true,
    perMessageDeflate: false,
    idleTimeout: 60,
    open: (socket: Socket) => this.#opened(socket),
    message: (socket: Socket, data: string | Uint8Array) => socket.data.connection?.message(data),
    close: (socket: Socket) => this.#closed(socket),
  };

  /** Makes a phone of the request; `undefined` when the socket is upgraded, else what to answer. */
  upgrade(
    req: Request,
    server: { upgrade(req: Request, options: { data: PhoneSocketData }): boolean },
  ): Response | undefined {
    if (this.#stopped) return this.#refuse(503, "the sandbox is stopping");
    if (this.#connections.size >= MAX_PHONES) return this.#refuse(503, `at most ${MAX_PHONES} phones`);
    if (server.upgrade(req, { data: { kind: "phone", connection: null } })) return undefined;
    return this.#refuse(426, "this is a WebSocket");
  }

  ring(
    number: string,
    info: { readonly callSid: string; readonly from: string },
    onOutcome: (outcome: RingOutcome, line: PhoneLine | null) => void,
  ): RingHandle | null {
    const connection = this.#byNumber.get(number);
    if (!connection) return this.#scripted.ring(number, onOutcome);
    return connection.engaged ? this.#busy(onOutcome) : connection.ring(info, onOutcome);
  }

  /** Goes to the phone at once if it is connected, else into its inbox until it is. */
  deliverSms(message: StoredSms): void {
    this.#inboxes.add(message);
    this.#deliverUnread(message.to);
  }

  /** A person sends an SMS, whether a phone of the number is connected or not. */
  sendSms(from: string, to: string, body: string): void {
    this.#tally.smsSent++;
    this.onSms({ from, to, body });
  }

  /** The last messages to a number, oldest first, read or not. */
  inbox(number: string): readonly StoredSms[] {
    return this.#inboxes.messages(number);
  }

  /**
   * What the phone of this number does when it rings and nobody is connected as it: always the same, or
   * several things in turn of which the last stays. `false`: too many numbers.
   */
  setBehaviour(number: string, ...scripts: PhoneScripts): boolean {
    return this.#scripted.set(number, scripts);
  }

  /** Closes every phone; their calls end as if hung up. */
  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) this.#clock.clearTimeout(timer);
    this.#timers.clear();
    this.#scripted.stop();
    for (const connection of this.#connections) connection.close(1001, "the sandbox is stopping");
  }

  counters(): Record<string, number> {
    let engaged = 0;
    for (const connection of this.#connections) if (connection.engaged) engaged++;
    return {
      connected: this.#connections.size,
      registered: this.#byNumber.size,
      engaged,
      scriptedEngaged: this.#scripted.engaged,
      ...this.#tally,
    };
  }

  #opened(socket: Socket): void {
    if (this.#stopped) {
      socket.close(1001, "the sandbox is stopping");
      return;
    }
    const connection = new PhoneConnection({
      socket,
      desk: this.#desk,
      clock: this.#clock,
      hearing: this.#hearing,
      log: this.#log,
      tally: this.#tally,
    });
    socket.data.connection = connection;
    this.#connections.add(connection);
  }

  #closed(socket: Socket): void {
    socket.data.connection?.closed();
    socket.data.connection = null;
  }

  #gone(connection: PhoneConnection): void {
    this.#connections.delete(connection);
    this.#release(connection);
  }

  /** The newest phone gets the number (a reloaded page), unless the one that has it is in a call. */
  #claim(number: string, by: PhoneConnection): string | null {
    const holder = this.#byNumber.get(number);
    if (holder === by) return null;
    if (holder?.engaged) return `register: ${number} is in a call on another phone`;
    if (by.engaged) return "register: this phone is in a call; hang up first";
    if (holder) {
      holder.number = null;
      holder.complain(`${number} is on another phone now`);
    }
    this.#release(by);
    by.number = number;
    this.#byNumber.set(number, by);
    this.#deliverUnread(number);
    return null;
  }

  #release(connection: PhoneConnection): void {
    if (connection.number !== null) this.#byNumber.delete(connection.number);
    connection.number = null;
  }

  #deliverUnread(number: string): void {
    const connection = this.#byNumber.get(number);
    if (!connection) return;
    for (const sms of this.#inboxes.takeUnread(number)) connection.deliverSms(sms);
  }

  #busy(onOutcome: (outcome: RingOutcome, line: PhoneLine | null) => void): RingHandle {
    const timer = this.#clock.setTimeout(() => {
      this.#timers.delete(timer);
      try {
        onOutcome("busy", null);
      } catch (error) {
        this.#tally.callbackErrors++;
        this.#log.error("sandbox.phone.callback_failed", { error: errorText(error) });
      }
    }, 0);
    this.#timers.add(timer);
    return {
      cancel: () => {
        this.#clock.clearTimeout(timer);
        this.#timers.delete(timer);
      },
    };
  }

  #refuse(status: number, problem: string): Response {
    this.#tally.upgradesRefused++;
    return new Response(problem, { status });
  }
}
