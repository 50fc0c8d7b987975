/** What things cost, as deployment data: nobody can ask for it, and accounts differ. */
import { z } from "zod";
import { fixWith } from "./issues.ts";

/** In whole units of the currency; `null`: not known. */
const price = z.number().min(0).max(10_000).nullable().default(null);

const isoDate = z.iso.date();
const date = z.string().refine((value) => isoDate.safeParse(value).success, {
  error: "is not a date",
  params: fixWith("write it like 2026-11-22"),
});

/** Per million tokens. */
const tokenPrices = z.strictObject({
  textInput: price,
  cachedTextInput: price,
  textOutput: price,
  audioInput: price,
  cachedAudioInput: price,
  audioOutput: price,
});

/** Per minute begun, but for `message`. */
const carrierPrices = z.strictObject({
  inboundMinute: price,
  outboundMinute: price,
  appMinute: price,
  streamMinute: price,
  conferenceMinute: price,
  recordingMinute: price,
  message: price,
});

/**
 * The models': OpenAI's model pages as of 2026-11-22. Twilio's: US list prices as third parties quoted them from May
 * to September 2026; what a leg of a TwiML App, a media stream and a message cost was not to be had.
 */
const DEFAULT_PRICES = {
  currency: "USD",
  asOf: "2026-11-22",
  models: {
    "gpt-realtime-2.1": {
      textInput: 4,
      cachedTextInput: 0.4,
      textOutput: 24,
      audioInput: 32,
      cachedAudioInput: 0.4,
      audioOutput: 64,
    },
    "gpt-realtime-2.1-mini": {
      textInput: 0.6,
      cachedTextInput: 0.06,
      textOutput: 2.4,
      audioInput: 10,
      cachedAudioInput: 0.3,
      audioOutput: 20,
    },
    "gpt-realtime-1.5": {
      textInput: 4,
      cachedTextInput: 0.4,
      textOutput: 16,
      audioInput: 32,
      cachedAudioInput: 0.4,
      audioOutput: 64,
    },
  },
  carrier: {
    inboundMinute: 0.0085,
    outboundMinute: 0.014,
    conferenceMinute: 0.0018,
    recordingMinute: 0.0025,
  },
};

/** A table of one's own takes the place of the whole default one: prices of two sources do not add up. */
export const pricesSchema = z
  .strictObject({
    currency: z.string().refine((value) => /^[A-Z]{3}$/.test(value), {
      error: "is not a currency",
      params: fixWith("use its three letters, such as USD"),
    }),
    /** When these prices were so; told in each row. */
    asOf: date.nullable().default(null),
    models: z.record(z.string().min(1).max(100), tokenPrices).default({}),
    carrier: carrierPrices.prefault({}),
  })
  .prefault(DEFAULT_PRICES);

export type Prices = z.output<typeof pricesSchema>;
export type TokenPrices = z.output<typeof tokenPrices>;
