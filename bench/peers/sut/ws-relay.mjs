/**
 * The least that a bridge on npm's `ws` can do: two sockets a call, every message parsed and written anew, and
 * `clear` when the caller speaks. It keeps no account of what was heard, so it truncates nothing.
 *
 * Bun gives `import "ws"` a module of its own over its built-in sockets. With `own-code` as an argument the
 * package's code is loaded by its path, which Bun runs as it is.
 */
const { WebSocket, WebSocketServer } = process.argv.includes("own-code")
  ? await import("../node_modules/ws/wrapper.mjs")
  : await import("ws");

const url = process.env.MODEL_URL ?? "";
const format = { type: "audio/pcmu" };

function bridge(carrier) {
  const model = new WebSocket(url, { headers: { Authorization: "Bearer sk-loopback" } });
  let streamSid = null;
  model.on("open", () => {
    const session = { type: "realtime", audio: { input: { format }, output: { format } } };
    model.send(JSON.stringify({ type: "session.update", session }));
  });
  model.on("message", (data) => {
    const event = JSON.parse(data);
    if (event.type === "response.output_audio.delta") {
      carrier.send(JSON.stringify({ event: "media", streamSid, media: { payload: event.delta } }));
    } else if (event.type === "input_audio_buffer.speech_started") {
      carrier.send(JSON.stringify({ event: "clear", streamSid }));
    }
  });
  model.on("error", (error) => process.stderr.write(`${error.message}\n`));
  carrier.on("message", (data) => {
    const message = JSON.parse(data);
    if (message.event === "start") streamSid = message.start.streamSid;
    if (message.event === "media" && model.readyState === WebSocket.OPEN)
      model.send(JSON.stringify({ type: "input_audio_buffer.append", audio: message.media.payload }));
  });
  carrier.on("close", () => model.close());
}

const server = new WebSocketServer({
  port: Number(process.env.PORT ?? 0),
  host: "127.0.0.1",
  path: "/media",
});
server.on("connection", bridge);
server.on("listening", () => process.stdout.write(`ready ${server.address().port}\n`));
process.on("SIGTERM", () => process.exit(0));
