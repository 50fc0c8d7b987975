/** Sockets that a cookie has opened: nobody looks on over one whose browser has signed out, or whose time is over. */
import type { Clock } from "../ports.ts";
import type { Session } from "./access.ts";

export interface CookieSocket {
  readonly data: {
    /** Left out: it was opened with the token itself. */
    readonly session?: Session;
  };
  close(code: number, reason: string): void;
}

/** What RFC 6455 has for whoever is not, or no longer, let in. */
const POLICY = 1008;

export class CookieSockets {
  readonly #clock: Clock;
  /** Their timers; as many as {@link SocketCaps} lets in. */
  readonly #timers = new Map<CookieSocket, unknown>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  open(socket: CookieSocket): void {
    const { session } = socket.data;
    if (!session) return;
    const end = (): void => socket.close(POLICY, "the time of the cookie is over");
    this.#timers.set(socket, this.#clock.setTimeout(end, session.endsAtMs - this.#clock.now()));
  }

  close(socket: CookieSocket): void {
    this.#clock.clearTimeout(this.#timers.get(socket));
    this.#timers.delete(socket);
  }

  signOut({ id }: Session): void {
    for (const socket of this.#timers.keys()) {
      if (socket.data.session?.id === id) socket.close(POLICY, "signed out");
    }
  }
}
