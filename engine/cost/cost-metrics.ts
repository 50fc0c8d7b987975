/** What all calls that are over have cost since start, for `/metrics`. */
import { CARRIER_KINDS, type CallCost } from "../postcall/schema.ts";
import type { ModelUsage } from "../ports.ts";
import type { TokensUsed } from "../extractor-port.ts";
import { partsOf, tokensByKind } from "./cost.ts";

const MICROS = 1_000_000;
const S_PER_MINUTE = 60;

type Counts = Readonly<Record<string, number>>;

export class CostMetrics {
  readonly #tokens = new Map<string, number>();
  readonly #money = new Map<string, number>();
  readonly #billedS = new Map<string, number>();
  messages = 0;
  readonly calls = { complete: 0, incomplete: 0 };
  #currency = "";

  /** Of one answer of the speech model. */
  usage(usage: ModelUsage): void {
    for (const [kind, count] of Object.entries(tokensByKind(usage))) add(this.#tokens, kind, count);
  }

  /** A call is over: all but what reading its transcript costs. */
  callOver(cost: CallCost): void {
    this.#currency = cost.currency;
    this.calls[cost.complete ? "complete" : "incomplete"]++;
    for (const [part, micros] of partsOf(cost)) add(this.#money, part, (micros ?? 0) / MICROS);
    for (const kind of CARRIER_KINDS) add(this.#billedS, kind, cost.carrier[kind].minutes * S_PER_MINUTE);
    this.messages += cost.messages.count;
  }

  extracted(usage: TokensUsed, micros: number | null): void {
    add(this.#tokens, "extractionInput", usage.inputTokens);
    add(this.#tokens, "extractionOutput", usage.outputTokens);
    add(this.#money, "extraction", (micros ?? 0) / MICROS);
  }

  get tokens(): Counts {
    return Object.fromEntries(this.#tokens);
  }

  get billedS(): Counts {
    return Object.fromEntries(this.#billedS);
  }

  get money(): readonly {
    readonly labels: { readonly part: string; readonly currency: string };
    readonly value: number;
  }[] {
    return [...this.#money].map(([part, value]) => ({ labels: { part, currency: this.#currency }, value }));
  }
}

function add(counts: Map<string, number>, name: string, value: number): void {
  counts.set(name, (counts.get(name) ?? 0) + value);
}
