/** Whether the key is taken and knows the models, by asking for what is known of each: that costs nothing. */
import type { LiveCheck, LiveFinding } from "../../engine/live-check-port.ts";
import type { Network } from "../../engine/platform/network.ts";

export interface OpenAiLiveCheckOptions {
  readonly apiKey: string;
  /** Without a trailing slash. */
  readonly baseUrl: string;
  /** By what each is for. */
  readonly models: Readonly<Record<string, string>>;
  readonly network: Network;
}

export function openAiLiveCheck(options: OpenAiLiveCheckOptions): LiveCheck {
  return {
    part: "model",
    run: async (signal) =>
      await Promise.all(
        Object.entries(options.models).map(([use, model]) => look(options, use, model, signal)),
      ),
  };
}

async function look(
  { apiKey, baseUrl, network }: OpenAiLiveCheckOptions,
  use: string,
  model: string,
  signal: AbortSignal,
): Promise<LiveFinding> {
  const headers = { authorization: `Bearer ${apiKey}` };
  const url = `${baseUrl}/models/${encodeURIComponent(model)}`;
  const answer = await network.fetch(url, { headers, redirect: "manual", signal }).catch(() => null);
  const { host } = new URL(baseUrl);
  if (!answer) {
    return {
      level: "mistake",
      text: `${host} gives no answer`,
      fix: `see that this machine reaches ${host}`,
    };
  }
  const { status } = answer;
  await answer.body?.cancel();
  if (status === 200) return { level: "ok", text: `${host} knows ${model}, ${use}` };
  if (status === 401 || status === 403) {
    return {
      level: "mistake",
      text: `${host} refuses OPENAI_API_KEY with HTTP ${status}`,
      fix: "check the key and its project",
    };
  }
  if (status === 404) {
    const fix = "check the name, and that the project may use it";
    // Others that speak the protocol may have no list.
    const level = host === "api.openai.com" ? "mistake" : "warning";
    return { level, text: `${host} does not know ${model}, ${use}`, fix };
  }
  return {
    level: "warning",
    text: `${host} answers HTTP ${status} when asked for ${model}`,
    fix: "try again",
  };
}
