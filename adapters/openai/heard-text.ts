/** How much of a text was heard when only a share of its audio was. */

/**
 * The whole words of `text` that lie within its first `share` (0..1): the provider aligns no words with its
 * audio, so the share of the audio stands for the share of the letters. Word boundaries are Unicode's, so that
 * it also works where words are not set apart by spaces.
 */
export function heardText(text: string, share: number): string {
  if (!(share > 0)) return "";
  if (share >= 1) return text;
  const limit = Math.floor(text.length * share);
  let end = 0;
  for (const { segment, index } of new Intl.Segmenter(undefined, { granularity: "word" }).segment(text)) {
    if (index + segment.length > limit) break;
    end = index + segment.length;
  }
  return text.slice(0, end).trimEnd();
}
