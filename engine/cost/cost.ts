/** What a call cost, from what it used and the deployment's prices. Pure; money in millionths of the currency. */
import type { Prices, TokenPrices } from "../config/prices.ts";
import type { DeepReadonly } from "../config/types.ts";
import type { TokensUsed } from "../extractor-port.ts";
import type { ExtractionRow } from "../postcall-port.ts";
import {
  CARRIER_KINDS,
  COST_VERSION,
  type CallCost,
  type CostGap,
  type CostPart,
} from "../postcall/schema.ts";
import type { ModelUsage } from "../ports.ts";
import type { CarrierMinutes } from "./usage-meter.ts";

export type PriceTable = DeepReadonly<Prices>;

export interface Used {
  /** `null`: it has no name. */
  readonly modelName: string | null;
  readonly tokens: ModelUsage;
  readonly minutes: CarrierMinutes;
  readonly messages: number;
  readonly gaps: readonly CostGap[];
}

type ModelTokens = CallCost["model"]["tokens"];
/** A cost that is not added up yet. */
type Lines = Omit<CallCost, "totalMicros" | "complete" | "unpriced">;

/** A price in whole units per million is one in millionths per one. */
function times(count: number, priceEach: number | null | undefined): number | null {
  if (count === 0) return 0;
  return priceEach === null || priceEach === undefined ? null : count * priceEach;
}

/** `null` when a part of it has no price. */
function total(parts: readonly (number | null)[]): number | null {
  const known = parts.filter((part) => part !== null);
  return known.length < parts.length ? null : Math.round(known.reduce((sum, part) => sum + part, 0));
}

/** Tokens by what they are billed as: what is cached is a part of the input. */
export function tokensByKind(usage: ModelUsage): ModelTokens {
  const { inputTokens, inputAudioTokens, cachedTokens, cachedAudioTokens } = usage;
  const cachedAudioInput = Math.min(cachedAudioTokens, inputAudioTokens);
  const textInput = Math.max(0, inputTokens - inputAudioTokens);
  const cachedTextInput = Math.min(Math.max(0, cachedTokens - cachedAudioInput), textInput);
  return {
    textInput: textInput - cachedTextInput,
    cachedTextInput,
    textOutput: Math.max(0, usage.outputTokens - usage.outputAudioTokens),
    audioInput: inputAudioTokens - cachedAudioInput,
    cachedAudioInput,
    audioOutput: usage.outputAudioTokens,
  };
}

export function costOf(used: Used, prices: PriceTable): CallCost {
  const tokens = tokensByKind(used.tokens);
  const model = {
    name: used.modelName,
    tokens,
    micros: modelMicros(tokens, tokenPricesOf(prices, used.modelName)),
  };
  const lines = CARRIER_KINDS.map((kind) => {
    const minutes = used.minutes[kind];
    const perMinute = prices.carrier[`${kind}Minute`];
    return [kind, { minutes, micros: total([times(minutes, micros(perMinute))]) }] as const;
  });
  const messages = {
    count: used.messages,
    micros: total([times(used.messages, micros(prices.carrier.message))]),
  };
  const carrier = Object.fromEntries(lines) as CallCost["carrier"];
  return summed({
    schemaVersion: COST_VERSION,
    currency: prices.currency,
    pricesAsOf: prices.asOf,
    model,
    carrier,
    messages,
    extraction: null,
    gaps: used.gaps,
  });
}

/** With what reading the transcript cost, once that is known. */
export function withExtraction(cost: CallCost | null, extraction: ExtractionRow | null): CallCost | null {
  if (!cost || !extraction?.usage) return cost;
  const { model, usage, costMicros, attempts } = extraction;
  const gaps = new Set<CostGap>(attempts > 1 ? [...cost.gaps, "extraction_retried"] : cost.gaps);
  return summed({ ...cost, gaps: [...gaps], extraction: { model, ...usage, micros: costMicros } });
}

/** Of a call that its engine died with: what it has used since the row was saved last is not known. */
export function costOfLost(cost: CallCost | null): CallCost | null {
  if (!cost) return null;
  const gaps = cost.gaps.filter((gap) => gap !== "in_progress" && gap !== "restart");
  return { ...cost, complete: false, gaps: ["restart", ...gaps] };
}

/** What one request to read a transcript cost; `null`: its model has no price. */
export function extractionMicros(usage: TokensUsed, model: string | null, prices: PriceTable): number | null {
  const each = tokenPricesOf(prices, model);
  return total([times(usage.inputTokens, each?.textInput), times(usage.outputTokens, each?.textOutput)]);
}

/** Every part that was used, with what it cost. */
export function partsOf(cost: Lines) {
  const { model, extraction, carrier, messages } = cost;
  const parts: (readonly [CostPart, number | null])[] = [["model", model.micros]];
  if (extraction) parts.push(["extraction", extraction.micros]);
  for (const kind of CARRIER_KINDS) parts.push([kind, carrier[kind].micros]);
  parts.push(["messages", messages.micros]);
  return parts;
}

function summed(cost: Lines): CallCost {
  const parts = partsOf(cost);
  const unpriced = parts.flatMap(([part, value]) => (value === null ? [part] : []));
  const totalMicros = parts.reduce((sum, [, value]) => sum + (value ?? 0), 0);
  return { ...cost, totalMicros, complete: unpriced.length === 0 && cost.gaps.length === 0, unpriced };
}

function modelMicros(tokens: ModelTokens, prices: DeepReadonly<TokenPrices> | null): number | null {
  const kinds = Object.keys(tokens) as (keyof ModelTokens)[];
  return total(kinds.map((kind) => times(tokens[kind], prices?.[kind])));
}

function tokenPricesOf({ models }: PriceTable, name: string | null): DeepReadonly<TokenPrices> | null {
  return name !== null && Object.hasOwn(models, name) ? (models[name] ?? null) : null;
}

/** Of a price in whole units. */
const micros = (price: number | null): number | null => (price === null ? null : price * 1_000_000);
