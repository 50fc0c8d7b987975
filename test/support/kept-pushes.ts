import type { PushBody, PushSender } from "../../engine/push-port.ts";

/** Keeps every push, and fails when told to. */
export class KeptPushes implements PushSender {
  readonly sent: { readonly url: string; readonly body: PushBody }[] = [];
  #failure: Error | null = null;

  failNext(error: Error): void {
    this.#failure = error;
  }

  async send(push: { readonly url: string; readonly body: PushBody }): Promise<void> {
    const failure = this.#failure;
    this.#failure = null;
    if (failure) throw failure;
    this.sent.push(push);
  }

  counters(): Readonly<Record<string, number>> {
    return { sent: this.sent.length };
  }

  close(): void {}
}
