/** How many sockets of the console and of programs may come from one address, and from all of them together. */
import { networkOf } from "../config/addresses.ts";

const MAX_SOCKETS = 200;
/**
 * Behind a proxy everybody has one address, so this is room for a whole desk; and still no one address takes all the
 * places that there are.
 */
const MAX_PER_ADDRESS = 64;

export class SocketCaps {
  readonly counters = { socketsOverAll: 0, socketsOverAddress: 0 };
  readonly #maxPerAddress: number;
  readonly #max: number;
  /** By what the socket carries. */
  readonly #addresses = new Map<object, string>();

  constructor({ max = MAX_SOCKETS, maxPerAddress = MAX_PER_ADDRESS } = {}) {
    this.#max = max;
    this.#maxPerAddress = maxPerAddress;
  }

  get size(): number {
    return this.#addresses.size;
  }

  /** Takes a place for the socket that is to carry `data`; `false`: there is none. */
  take(data: object, address: string | null): boolean {
    const from = networkOf(address ?? "");
    if (this.#addresses.size >= this.#max) {
      this.counters.socketsOverAll++;
      return false;
    }
    let same = 0;
    for (const other of this.#addresses.values()) if (other === from) same++;
    if (same >= this.#maxPerAddress) {
      this.counters.socketsOverAddress++;
      return false;
    }
    this.#addresses.set(data, from);
    return true;
  }

  /** The socket is gone, or was never opened. */
  release(data: object): void {
    this.#addresses.delete(data);
  }
}
