/** A phone at its own end of the WebSocket, for the tests of the hub. */
import { Phones, type PhoneSocketData } from "../../../../adapters/sandbox/carrier/media/phones.ts";
import type { PhoneLine, RingOutcome, Speech } from "../../../../adapters/sandbox/types.ts";
import { createHearing } from "../../../../adapters/sandbox/hearing.ts";
import { VirtualClock } from "../../../../engine/platform/clock.ts";
import { silentLog } from "../../../../engine/platform/log.ts";
import { noise } from "./audio.ts";

type Notice = Record<string, unknown> & { readonly type: string };

/** Lets a test wait for what the socket brings; looked at whenever something arrives. */
class Waiter {
  readonly #waiting = new Set<() => void>();

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  poke(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }
}

export class PhoneClient {
  readonly notices: Notice[] = [];
  readonly ear: Uint8Array[] = [];
  closeCode: number | null = null;
  readonly #socket: WebSocket;
  readonly #waiter: Waiter;

  constructor(url: string, waiter: Waiter) {
    this.#waiter = waiter;
    this.#socket = new WebSocket(url);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onmessage = (event) => {
      if (typeof event.data === "string") this.notices.push(JSON.parse(event.data) as Notice);
      else this.ear.push(new Uint8Array(event.data as ArrayBuffer));
      waiter.poke();
    };
    this.#socket.onopen = () => waiter.poke();
    this.#socket.onerror = () => undefined;
    this.#socket.onclose = (event) => {
      this.closeCode = event.code;
      waiter.poke();
    };
  }

  get open(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  send(message: object | string): void {
    this.#socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  speak(frame: Uint8Array): void {
    this.#socket.send(frame);
  }

  of(type: string): Notice[] {
    return this.notices.filter((notice) => notice.type === type);
  }

  async notice(type: string, count = 1): Promise<Notice> {
    await this.#waiter.until(() => this.of(type).length >= count);
    return this.of(type)[count - 1] as Notice;
  }

  /** Ends like a page that is closed. */
  leave(): void {
    this.#socket.close();
  }
}

export const GREETING = noise(99, 3);
const speech: Speech = { say: () => Promise.resolve(GREETING), close: () => undefined };

/** A hub on a real port, with what its carrier was told. */
export class PhoneWorld {
  readonly clock = new VirtualClock();
  readonly hearing = createHearing();
  readonly phones = new Phones({ clock: this.clock, log: silentLog, hearing: this.hearing, speech });
  readonly dialled: { line: PhoneLine; to: string }[] = [];
  readonly sms: { from: string; to: string; body: string }[] = [];
  readonly outcomes: [RingOutcome, PhoneLine | null][] = [];
  readonly told: string[] = [];
  readonly waiter = new Waiter();
  readonly #server = Bun.serve<PhoneSocketData>({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (req, server) => this.phones.upgrade(req, server),
    websocket: this.phones.websocket,
  });

  constructor() {
    this.phones.onDial = (line, to) => {
      this.dialled.push({ line, to });
      this.listen(line);
      return { callSid: `CA${this.dialled.length}` };
    };
    this.phones.onSms = (message) => {
      this.sms.push(message);
      this.waiter.poke();
    };
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#server.port}/sandbox/phone`;
  }

  listen(line: PhoneLine): void {
    line.onHangup = () => this.#tell("hangup");
    line.onDigit = (digit) => this.#tell(digit);
  }

  async until(condition: () => boolean): Promise<void> {
    await this.waiter.until(condition);
  }

  async phone(number?: string): Promise<PhoneClient> {
    const phone = new PhoneClient(this.url, this.waiter);
    await this.until(() => phone.open);
    if (number !== undefined) {
      phone.send({ type: "register", number });
      await this.taken(phone);
    }
    return phone;
  }

  /** Resolves when the hub has taken everything `phone` has sent. */
  async taken(phone: PhoneClient): Promise<void> {
    const before = phone.of("error").length;
    phone.send({ type: "answer" });
    await phone.notice("error", before + 1);
  }

  ring(number: string, callSid = "CA9") {
    return this.phones.ring(number, { callSid, from: "+15550199" }, (outcome, line) => {
      this.outcomes.push([outcome, line]);
      if (line) this.listen(line);
      this.waiter.poke();
    });
  }

  async stop(): Promise<void> {
    this.phones.stop();
    await this.#server.stop(true);
  }

  #tell(what: string): void {
    this.told.push(what);
    this.waiter.poke();
  }
}
