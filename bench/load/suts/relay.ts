/**
 * The least that a bridge on Bun can do: the same two sockets per call as the engine, the payload cut out of one
 * message and put into the other, and nothing else. What the engine costs is held against this.
 */
import type { ServerWebSocket } from "bun";

interface Call {
  model: WebSocket | null;
  streamSid: string;
}

const modelUrl = process.env["MODEL_URL"] ?? "";
const PAYLOAD = '"payload":"';
const DELTA = '"delta":"';

function onStart(ws: ServerWebSocket<Call>, text: string): void {
  const { streamSid } = JSON.parse(text) as { readonly streamSid: string };
  ws.data.streamSid = streamSid;
  const head = `{"event":"media","streamSid":"${streamSid}","media":{"payload":"`;
  const model = new WebSocket(modelUrl, { headers: { authorization: "Bearer load" } });
  ws.data.model = model;
  model.addEventListener("message", ({ data }) => {
    const message = data as string;
    if (!message.startsWith('{"type":"response.output_audio.delta"')) return;
    const from = message.indexOf(DELTA) + DELTA.length;
    ws.send(`${head}${message.slice(from, message.indexOf('"', from))}"}}`);
  });
  model.addEventListener("close", () => ws.close());
}

const server = Bun.serve<Call>({
  hostname: "127.0.0.1",
  port: Number(process.env["PORT"] ?? 0),
  fetch: (request, own) =>
    own.upgrade(request, { data: { model: null, streamSid: "" } })
      ? undefined
      : new Response(null, { status: 426 }),
  websocket: {
    perMessageDeflate: false,
    message: (ws, data) => {
      const text = data as string;
      const { model } = ws.data;
      if (text.startsWith('{"event":"media"')) {
        if (model?.readyState !== WebSocket.OPEN) return;
        const from = text.indexOf(PAYLOAD) + PAYLOAD.length;
        const payload = text.slice(from, text.indexOf('"', from));
        model.send(`{"type":"input_audio_buffer.append","audio":"${payload}"}`);
      } else if (text.startsWith('{"event":"start"')) {
        onStart(ws, text);
      } else if (text.startsWith('{"event":"stop"')) {
        ws.close();
      }
    },
    close: (ws) => ws.data.model?.close(),
  },
});

process.on("SIGTERM", () => process.exit(0));
process.stdout.write(`ready ${server.port}\n`);
