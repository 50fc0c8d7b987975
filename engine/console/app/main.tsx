/** The console's page. */
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Board } from "./board.tsx";
import { CallPage } from "./call.tsx";
import { timeOf } from "./format.ts";
import { link } from "./link.ts";
import { ask, type Place, store, textIn, textOf, usePlace, useStore } from "./page.ts";
import type { Link, Session } from "./store.ts";
import { Switchboard } from "./switchboard.tsx";

function App() {
  const place = usePlace();
  const signedOut = useStore((state) => state.signedOut);
  const first = useRef(true);
  const page = place.is === "call" ? place.callSid : place.is;
  const where = signedOut ? "sign in" : page;
  useEffect(() => {
    document.title = titleOf(place);
    // Whoever cannot see that the page is another one hears of it.
    if (!first.current) document.querySelector<HTMLElement>("main h1")?.focus();
    first.current = false;
  }, [where]);
  return (
    <>
      <a class="skip" href="#main" onClick={toContent}>
        To the content
      </a>
      <Header place={place} />
      <main id="main" tabIndex={-1}>
        {signedOut ? <SignIn /> : <Content place={place} />}
      </main>
    </>
  );
}

/** What stands behind the `#` is the moment that is shown, and stays. */
function toContent(event: MouseEvent): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function Content({ place }: { readonly place: Place }) {
  switch (place.is) {
    case "switchboard":
      return <Switchboard />;
    case "board":
      return <Board />;
    case "call":
      return <CallPage key={place.callSid} place={place} />;
  }
}

function titleOf(place: Place): string {
  if (place.is === "call") return `${place.callSid} · Tandem`;
  return place.is === "board" ? "Escalations · Tandem" : "Switchboard · Tandem";
}

function Header({ place }: { readonly place: Place }) {
  const session = useStore((state) => state.session);
  const calls = useStore((state) => Object.keys(state.calls).length);
  const open = useStore((state) => Object.values(state.incidents).filter(needsSomebody).length);
  const current = (is: Place["is"]) => (place.is === is ? { "aria-current": "page" as const } : {});
  return (
    <header class="top">
      <span class="brand">Tandem</span>
      <nav aria-label="Console">
        <a href="/console" {...current("switchboard")} data-testid="nav-switchboard">
          Switchboard <span class="count">{calls}</span>
        </a>
        <a href="/console/board" {...current("board")} data-testid="nav-board">
          Escalations <span class={open > 0 ? "count warn" : "count"}>{open}</span>
        </a>
        {session?.phonesUrl && (
          <a href={session.phonesUrl} target="_blank" rel="noreferrer" data-testid="nav-phones">
            Phones
          </a>
        )}
      </nav>
      <span class="grow" />
      <LinkState />
      {session && (
        <span class="who" data-testid="role" title="What your token lets you see and do">
          {whoIs(session)}
        </span>
      )}
      {session?.via === "console" && session.name !== "local" && (
        <button type="button" class="quiet" onClick={() => void signOut()}>
          Sign out
        </button>
      )}
    </header>
  );
}

/** A token of a name that says its role alone is named once. */
function whoIs({ name, role }: Session): string {
  if (name === "local") return "this machine";
  return name === role ? role : `${name}, ${role}`;
}

function needsSomebody({ phase }: { readonly phase: string }): boolean {
  return phase !== "owned" && phase !== "over";
}

function LinkState() {
  const state = useStore((page) => page.link);
  const missed = useStore((page) => page.missed);
  const signedOut = useStore((page) => page.signedOut);
  const text = signedOut ? "not signed in" : linkText(state);
  return (
    <span class={`link ${state.is}`} role="status" data-testid="link">
      {text}
      {missed > 0 && <span title={`${missed} updates were left out and made up for`}> ({missed} late)</span>}
    </span>
  );
}

function linkText(state: Link): string {
  switch (state.is) {
    case "connecting":
      return "connecting…";
    case "live":
      return "live";
    case "lost":
      return `not connected since ${timeOf(state.sinceMs)}, trying again…`;
    case "refused":
      return "not let in";
  }
}

async function signOut(): Promise<void> {
  await ask("/console/sign-out", { method: "POST" });
  store.trigger.signedOut();
  link.restart();
}

function SignIn() {
  const [problem, setProblem] = useState<string | null>(null);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const token = textIn(new FormData(event.target as HTMLFormElement), "token");
    try {
      await ask("/console/sign-in", { method: "POST", body: new URLSearchParams({ token }) });
      link.restart();
    } catch (error) {
      setProblem(textOf(error));
    }
  };
  return (
    <form class="card sign-in" onSubmit={(event) => void submit(event)} data-testid="sign-in">
      <h1 tabIndex={-1}>Sign in</h1>
      <label>
        Token
        <input name="token" type="password" autocomplete="current-password" required />
      </label>
      <p class="hint">The engine's console token, or one of your own.</p>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <button type="submit" class="primary">
        Sign in
      </button>
    </form>
  );
}

const root = document.getElementById("app");
if (root) render(<App />, root);
link.start();
