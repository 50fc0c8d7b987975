const ADDRESS = /^(127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/;
/** Whoever hands a request on for somebody else says so in one of these, or keeps quiet and cannot be told. */
const HANDED_ON = ["forwarded", "x-forwarded-for", "x-real-ip"];

/**
 * Whether a connection comes from this machine, and is no proxy's that brings others here.
 *
 * @param address the other end; `null`: it is not known, and then the answer is no.
 */
export function comesFromHere(request: Request, address: string | null): boolean {
  return address !== null && ADDRESS.test(address) && !HANDED_ON.some((name) => request.headers.has(name));
}
