/** What a jitter buffer has done. Plain numbers, counted up by its parts. */
export type JitterCounters = ReturnType<typeof newJitterCounters>;

export function newJitterCounters() {
  return {
    /** Frames that came and were played; the compressed ones too. */
    played: 0,
    /** Frames made up by concealment, and those silent because a loss lasted over 60 ms. */
    concealed: 0,
    silent: 0,
    /** Frames whose turn came and which were not there. */
    lost: 0,
    /** Those of the lost in whose place nothing was put out: in a pause, or for lack of room. */
    skipped: 0,
    duplicates: 0,
    outOfOrder: 0,
    late: 0,
    /** Dropped because the buffer was full, oldest first. */
    overflow: 0,
    /** Dropped at the first pop: more than the target had come before anybody listened. */
    stale: 0,
    /** The edges of the two states: buffering → playing, and back because nothing was held. */
    started: 0,
    underflow: 0,
    /** Frames put out while stream time stood still. */
    expanded: 0,
    /** Frames of a pause left out to bring the delay down. */
    trimmed: 0,
    /** Cuts made in speech for the same reason, and the samples cut. */
    compressions: 0,
    compressedSamples: 0,
    /** New streams: the sequence or the timestamps jumped, and the next frame agreed. */
    resets: 0,
    /** Frames of no stream: they jumped, and the next did not agree. */
    strays: 0,
  };
}
