/**
 * How far `sequence` lies ahead of `reference` (behind: negative), the short way round the circle: RTP numbers
 * wrap at 2¹⁶ (RFC 3550, 5.1), counters kept here at 2³². Exact within half the circle either way.
 */
export function sequenceDelta(sequence: number, reference: number, bits: 16 | 32): number {
  const shift = 32 - bits;
  return ((sequence - reference) << shift) >> shift;
}
