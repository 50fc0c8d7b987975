import { useState } from "preact/hooks";
import type { InboxItem } from "../handset-state.ts";
import type { HandsetProps } from "./handset-view.tsx";

const MAX_SMS = 160;

/** Texts and pushes, newest first, and the answer by text. */
export function Inbox({ handset, state }: HandsetProps) {
  const [text, setText] = useState("");
  const { role, inbox, link } = state;
  const send = (event: Event): void => {
    event.preventDefault();
    if (text.trim() === "") return;
    handset.sendSms(text.trim());
    setText("");
  };
  return (
    <div class="inbox">
      <h3 id={`${role}-inbox`}>Messages</h3>
      {inbox.length === 0 && <p class="empty">None yet.</p>}
      <ol aria-labelledby={`${role}-inbox`}>
        {inbox.toReversed().map((item) => (
          <Message key={item.id} item={item} />
        ))}
      </ol>
      <form onSubmit={send}>
        <label for={`${role}-sms`}>Text {handset.facts.number}</label>
        <div class="line">
          <input
            id={`${role}-sms`}
            maxLength={MAX_SMS}
            autoComplete="off"
            placeholder={role === "on-call" ? "1 takes it, 2 declines" : ""}
            value={text}
            onInput={(event) => setText((event.currentTarget as HTMLInputElement).value)}
          />
          <button disabled={link !== "open"}>Send</button>
        </div>
      </form>
    </div>
  );
}

/** The buttons do what those of the page behind the link do, and show its answer in a tab of its own. */
function Message({ item: { kind, title, body, ackUrl } }: { readonly item: InboxItem }) {
  return (
    <li class={kind}>
      <b>{title}</b>
      <p>{body}</p>
      {ackUrl !== null && (
        <form class="ack" method="post" action={ackUrl} target="_blank" rel="noreferrer">
          <button class="primary">I take it</button>
          <button name="decline" value="1">
            Decline
          </button>
          <a href={ackUrl} target="_blank" rel="noreferrer">
            Open the link
          </a>
        </form>
      )}
    </li>
  );
}
