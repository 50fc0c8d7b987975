/** Reads on only while somebody takes what was read. */
export function streamOf<T>(
  source: AsyncIterable<T>,
  bytesOf: (part: T) => Uint8Array,
): ReadableStream<Uint8Array> {
  const parts = source[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await parts.next();
      if (next.done) controller.close();
      else controller.enqueue(bytesOf(next.value));
    },
    async cancel() {
      await parts.return?.(undefined);
    },
  });
}
