/** The phones' page: `/phones` has both handsets, `/phones/caller` and `/phones/on-call` one each. */
import { h, render } from "preact";
import { errorText } from "../../../../engine/errors.ts";
import { systemClock } from "../../../../engine/platform/clock.ts";
import { fetchFacts } from "./carrier-requests.ts";
import { Handset } from "./handset.ts";
import { Sound } from "./sound.ts";
import { App } from "./views/app.tsx";

/** The caller's number, unless another is typed. */
const CALLER_NUMBER = "+15550142";

async function open(root: HTMLElement): Promise<void> {
  const facts = await fetchFacts();
  const parts = { facts, sound: new Sound(), clock: systemClock };
  const page = location.pathname;
  const caller =
    page === "/phones/on-call" ? null : new Handset({ role: "caller", number: CALLER_NUMBER, ...parts });
  const onCall = page === "/phones/caller" ? null : new Handset({ role: "on-call", number: "", ...parts });
  caller?.be(CALLER_NUMBER, null);
  const chosen = new URLSearchParams(location.search).get("number");
  root.replaceChildren();
  render(h(App, { facts, caller, onCall, chosen }), root);
}

const root = document.getElementById("phones");
if (root) {
  open(root).catch((error: unknown) => {
    root.textContent = `The phones cannot be shown: ${errorText(error)}. Reload the page to try again.`;
  });
}
