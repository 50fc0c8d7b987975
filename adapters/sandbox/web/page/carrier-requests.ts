/** What the page asks the sandbox carrier for by HTTP. Each rejects with a text for the person. */
import { wholeFrames } from "../../phone/mouth.ts";
import type { PhonesFacts } from "../facts.ts";
import { type InboxItem, smsItem } from "./handset-state.ts";

const REQUEST_TIMEOUT_MS = 10_000;

export async function fetchFacts(): Promise<PhonesFacts> {
  return (await (await request("/phones/facts")).json()) as PhonesFacts;
}

/** μ-law at 8 kHz, in whole frames. */
export async function fetchSpeech(text: string): Promise<Uint8Array> {
  const init = { method: "POST", body: JSON.stringify({ text }) };
  return wholeFrames(new Uint8Array(await (await request("/phones/say", init)).arrayBuffer()));
}

/** Texts that came before the page was opened. */
export async function fetchTexts(number: string): Promise<readonly InboxItem[]> {
  const answer = await request(`/sandbox/messages?number=${encodeURIComponent(number)}`);
  return ((await answer.json()) as Parameters<typeof smsItem>[0][]).map((sms) => smsItem(sms));
}

interface Push {
  readonly id?: string;
  readonly title: string;
  readonly body: string;
  readonly ackUrl: string;
}

export async function fetchPushes(name: string): Promise<readonly InboxItem[]> {
  const pushes = (await (await request(`/sandbox/push/${name}`)).json()) as Push[];
  return pushes.map(({ id, title, body, ackUrl }) => ({
    id: id ?? ackUrl,
    kind: "push",
    title,
    body,
    ackUrl,
  }));
}

async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const answer = await fetch(path, { ...init, signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) }).catch(() => {
    throw new Error("the sandbox did not answer; see that it runs, and try again");
  });
  if (answer.ok) return answer;
  const { error } = (await answer.json().catch(() => ({}))) as { error?: string };
  throw new Error(error ?? `the sandbox answered ${answer.status}`);
}
