/**
 * The pattern of Twilio's own Node sample for speech-to-speech calls: Fastify for the carrier, `ws` for the
 * model, every message parsed and written anew. How much was heard comes from the timestamps of the inbound
 * frames; a queue of marks only says whether anything is still playing. Written from the protocol; the
 * sample's logging is left out.
 */
import websocket from "@fastify/websocket";
import Fastify from "fastify";
import WebSocket from "ws";

/** As the sample does: its session is set this long after the socket has opened. */
const SESSION_DELAY_MS = 100;
const url = process.env.MODEL_URL ?? "";
const format = { type: "audio/pcmu" };

function bridge(carrier) {
  const model = new WebSocket(url, { headers: { Authorization: "Bearer sk-loopback" } });
  let streamSid = null;
  let latestMediaTimestamp = 0;
  let responseStartTimestamp = null;
  let lastAssistantItem = null;
  let marks = [];

  const toModel = (event) => model.send(JSON.stringify(event));
  const toCarrier = (event, rest) => carrier.send(JSON.stringify({ event, streamSid, ...rest }));

  function onSpeechStarted() {
    if (marks.length === 0 || responseStartTimestamp === null) return;
    if (lastAssistantItem !== null) {
      const audio_end_ms = latestMediaTimestamp - responseStartTimestamp;
      const item_id = lastAssistantItem;
      toModel({ type: "conversation.item.truncate", item_id, content_index: 0, audio_end_ms });
    }
    toCarrier("clear");
    marks = [];
    lastAssistantItem = null;
    responseStartTimestamp = null;
  }

  model.on("open", () => {
    setTimeout(() => {
      if (model.readyState !== WebSocket.OPEN) return;
      const input = { format, turn_detection: { type: "server_vad" } };
      const session = {
        type: "realtime",
        output_modalities: ["audio"],
        audio: { input, output: { format } },
      };
      toModel({ type: "session.update", session });
    }, SESSION_DELAY_MS);
  });
  model.on("message", (data) => {
    const event = JSON.parse(data);
    if (event.type === "response.output_audio.delta" && event.delta) {
      toCarrier("media", { media: { payload: event.delta } });
      responseStartTimestamp ??= latestMediaTimestamp;
      if (event.item_id) lastAssistantItem = event.item_id;
      toCarrier("mark", { mark: { name: "responsePart" } });
      marks.push("responsePart");
    }
    if (event.type === "input_audio_buffer.speech_started") onSpeechStarted();
  });
  model.on("error", (error) => process.stderr.write(`${error.message}\n`));

  carrier.on("message", (data) => {
    const message = JSON.parse(data);
    switch (message.event) {
      case "media":
        latestMediaTimestamp = Number(message.media.timestamp);
        if (model.readyState === WebSocket.OPEN)
          toModel({ type: "input_audio_buffer.append", audio: message.media.payload });
        break;
      case "start":
        streamSid = message.start.streamSid;
        responseStartTimestamp = null;
        latestMediaTimestamp = 0;
        break;
      case "mark":
        marks.shift();
        break;
    }
  });
  carrier.on("close", () => model.close());
}

const fastify = Fastify();
await fastify.register(websocket);
fastify.get("/media", { websocket: true }, bridge);
await fastify.listen({ port: Number(process.env.PORT ?? 0), host: "127.0.0.1" });
process.on("SIGTERM", () => process.exit(0));
process.stdout.write(`ready ${fastify.server.address().port}\n`);
