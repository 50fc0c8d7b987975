/** The least that a WebSocket server on Bun can do: every message goes straight back. */
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env["PORT"] ?? 0),
  fetch: (request, own) => (own.upgrade(request) ? undefined : new Response(null, { status: 426 })),
  websocket: {
    perMessageDeflate: false,
    message: (ws, text) => {
      ws.send(text);
    },
  },
});

process.on("SIGTERM", () => process.exit(0));
process.stdout.write(`ready ${server.port}\n`);
