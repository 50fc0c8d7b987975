/** A port that nobody listens on at the moment. */
export function freePort(hostname: string): number {
  const probe = Bun.listen({ hostname, port: 0, socket: { data: () => undefined } });
  const { port } = probe;
  probe.stop(true);
  return port;
}
