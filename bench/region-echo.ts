/**
 * A process that does nothing but send back what comes: the least that a message costs which goes through
 * another process. Prints its address, and ends when its standard input does.
 */
import { serve } from "bun";

const server = serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (request, self) =>
    self.upgrade(request) ? undefined : new Response("this is a WebSocket\n", { status: 426 }),
  websocket: { perMessageDeflate: false, message: (ws, text) => void ws.send(text) },
});
process.stdout.write(`ws://127.0.0.1:${server.port}\n`);
await Bun.stdin.text();
await server.stop(true);
