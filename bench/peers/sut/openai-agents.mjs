/**
 * The OpenAI Agents SDK with its Twilio transport, put together as its documentation shows: Fastify takes the
 * carrier's socket, a TwilioRealtimeTransportLayer and a RealtimeSession per call do the rest.
 */
import websocket from "@fastify/websocket";
import { setTracingDisabled } from "@openai/agents";
import { TwilioRealtimeTransportLayer } from "@openai/agents-extensions";
import { RealtimeAgent, RealtimeSession } from "@openai/agents/realtime";
import Fastify from "fastify";

// It would report every session to its vendor.
setTracingDisabled(true);

const url = process.env.MODEL_URL ?? "";
/** With these packages the transport's own default does not get through the session: it would ask for PCM. */
const format = { type: "audio/pcmu" };
const config = { audio: { input: { format }, output: { format } } };
const agent = new RealtimeAgent({ name: "Assistant", instructions: "You are a helpful assistant." });

const fastify = Fastify();
await fastify.register(websocket);
fastify.get("/media", { websocket: true }, async (socket) => {
  const transport = new TwilioRealtimeTransportLayer({ twilioWebSocket: socket });
  const session = new RealtimeSession(agent, { transport, config, tracingDisabled: true });
  // The SDK cancels answers that the model has cancelled itself and emits the refusal as an error; without a
  // listener that would end the process, and every call in it.
  session.on("error", () => undefined);
  try {
    await session.connect({ apiKey: "sk-loopback", url });
  } catch (error) {
    process.stderr.write(`${String(error)}\n`);
    socket.close();
  }
});

await fastify.listen({ port: Number(process.env.PORT ?? 0), host: "127.0.0.1" });
process.on("SIGTERM", () => process.exit(0));
process.stdout.write(`ready ${fastify.server.address().port}\n`);
