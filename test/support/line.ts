/** What lies between an engine and its database server: a way that can be cut, or let nothing through. */
import { connect, createServer, type Server, type Socket } from "node:net";

export interface Line {
  /** The server's address, through it. */
  readonly url: string;
  /** Everybody is cut off, and nobody gets through. */
  cut(): Promise<void>;
  mend(): Promise<void>;
  /** What is sent on the connections that there are waits, both ways. New ones are let through. */
  stall(): void;
  flow(): void;
  /** How many ends of stalled connections are still open. */
  stalled(): number;
}

export async function startLine(to: string): Promise<Line> {
  const target = new URL(to);
  const sockets = new Set<Socket>();
  const stalled = new Set<Socket>();
  const join = (near: Socket): void => {
    const far = connect(Number(target.port === "" ? 5432 : target.port), target.hostname);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on("error", () => undefined);
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  };
  let server = createServer(join);
  const port = await listening(server, 0);
  const url = new URL(to);
  url.hostname = "127.0.0.1";
  url.port = String(port);
  return {
    url: url.href,
    cut: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
    mend: async () => {
      server = createServer(join);
      await listening(server, port);
    },
    stall: () => {
      for (const socket of sockets) stalled.add(socket.pause());
    },
    flow: () => {
      for (const socket of stalled) socket.resume();
    },
    stalled: () => [...stalled].filter((socket) => sockets.has(socket)).length,
  };
}

async function listening(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
