/** The same echo on a raw socket with frames by hand: what is left when there is no WebSocket library at all. */
import { ModelSocket } from "../model-socket.ts";
import { frame } from "../ws-frames.ts";

const listener = Bun.listen<ModelSocket>({
  hostname: "127.0.0.1",
  port: Number(process.env["PORT"] ?? 0),
  socket: {
    open: (socket) => {
      const echo = (own: ModelSocket) => ({
        text: (bytes: Buffer, at: number, end: number) =>
          own.write(frame(1, bytes.subarray(at, end), "server")),
        closed: () => undefined,
      });
      socket.data = new ModelSocket(socket, echo, false);
    },
    data: (socket, chunk) => socket.data.data(chunk),
    drain: (socket) => socket.data.drain(),
    close: (socket) => socket.data.closed(),
  },
});

process.on("SIGTERM", () => process.exit(0));
process.stdout.write(`ready ${listener.port}\n`);
