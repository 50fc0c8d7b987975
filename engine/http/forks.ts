/** `<Start><Stream>` in the documents of legs whose audio is forked, each with a token of its own. */
import type { Urls } from "../call/urls.ts";
import type { Deployment } from "../config/deployment.ts";
import type { MediaGateway } from "../media/gateway.ts";
import type { ForkTwiml } from "./twiml.ts";

export interface ForkOptions {
  readonly deployment: Pick<Deployment, "speakers">;
  readonly gateway: Pick<MediaGateway, "issueForkToken">;
  readonly urls: Pick<Urls, "media" | "streamStatus">;
}

export class Forks {
  readonly #options: ForkOptions;

  constructor(options: ForkOptions) {
    this.#options = options;
  }

  get enabled(): boolean {
    return this.#options.deployment.speakers === "forked";
  }

  /** What a leg's document gets; nothing where speakers are not told apart. */
  of(callSid: string, label: string): { readonly fork?: ForkTwiml } {
    if (!this.enabled) return {};
    const { gateway, urls } = this.#options;
    return {
      fork: {
        name: label,
        streamUrl: urls.media,
        statusCallback: urls.streamStatus(callSid, label),
        parameters: { token: gateway.issueForkToken(callSid, label) },
      },
    };
  }
}
