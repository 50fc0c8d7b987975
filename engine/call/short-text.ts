/** Free text made fit for a phone: one line, bounded, and in as few messages as it can be. */

/** What a reason may take of what is said or shown. */
export const MAX_REASON_LENGTH = 200;

const LINK = /\b(?:https?:\/\/|www\.)\S+/gi;
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]+/gu;

/**
 * One line of at most `maxLength` characters, cut between words. A model writes the reason from what a caller
 * said: links are left out, since nobody on call is to open what a caller sends them.
 */
export function oneLine(text: string, maxLength = MAX_REASON_LENGTH): string {
  const line = text.replace(LINK, "").replace(INVISIBLE, " ").replace(/\s+/g, " ").trim();
  const whole = line.replace(/[\s.,;:]+$/, "");
  if (whole.length <= maxLength) return whole;
  const room = whole.slice(0, Math.max(0, maxLength - 3));
  const words = room.replace(/\s+\S*$/, "");
  // A cut between the halves of a character would leave half of it.
  return `${(words === "" ? room : words).replace(/[\s.,;:\uD800-\uDBFF]+$/, "")}...`;
}

/** GSM 03.38's basic alphabet, and what of its extension counts twice. */
const GSM_BASIC =
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
const GSM_EXTENDED = "^{}\\[~]|€\f";
const WEIGHT = new Map<string, number>([
  ...[...GSM_BASIC].map((character) => [character, 1] as const),
  ...[...GSM_EXTENDED].map((character) => [character, 2] as const),
]);

/** One character outside the telephone's alphabet makes a text more than twice as dear: these have a twin in it. */
const TWINS: readonly (readonly [RegExp, string])[] = [
  [/[‘’‚′`]/g, "'"],
  [/[“”„″]/g, '"'],
  [/[‐-―−]/g, "-"],
  [/…/g, "..."],
  [/\u00A0/g, " "],
];

export function withGsmTwins(text: string): string {
  return TWINS.reduce((line, [pattern, twin]) => line.replace(pattern, twin), text);
}

/** Length in the telephone's alphabet, or `null` for a text that has to go as UCS-2. */
export function gsmLength(text: string): number | null {
  let length = 0;
  for (const character of text) {
    const weight = WEIGHT.get(character);
    if (weight === undefined) return null;
    length += weight;
  }
  return length;
}

const ONE_GSM_MESSAGE = 160;
/** Three messages of 67: one of 70 has no room for what must be said. */
const UCS2_LIMIT = 201;

/** Whether a text goes as one message; outside the telephone's alphabet, as three. */
export function fitsMessage(text: string): boolean {
  const length = gsmLength(text);
  return length === null ? text.length <= UCS2_LIMIT : length <= ONE_GSM_MESSAGE;
}
