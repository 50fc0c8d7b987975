// The console's page: the table of calls, one call's conversation and log, and the operator's commands.
const COMMANDS = ["escalate", "coach", "remove", "restore", "hold", "resume", "hangup"];
const MAX_ROWS = 50;
const byId = (id) => document.getElementById(id);
let selected = null;
let retryMs = 500;

async function api(path, init) {
  const response = await fetch(path, init);
  if (response.status === 401) byId("sign-in").hidden = false;
  if (!response.ok) throw new Error((await response.json()).error ?? response.statusText);
  return response;
}

function element(tag, text, attributes = {}) {
  const node = document.createElement(tag);
  node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

const clock = (iso) => (iso ? new Date(iso).toLocaleTimeString() : "–");

async function showCalls() {
  const calls = await (await api(`/api/calls?limit=${MAX_ROWS}`)).json();
  byId("empty").hidden = calls.length > 0;
  byId("calls").replaceChildren(
    ...calls.map((call) => {
      const row = document.createElement("tr");
      const pick = element("button", call.callSid.slice(0, 10), { type: "button", title: call.callSid });
      pick.addEventListener("click", () => void show(call.callSid));
      const cell = document.createElement("td");
      cell.append(pick);
      row.append(
        cell,
        element("td", call.state),
        element("td", clock(call.startedAt)),
        element("td", clock(call.endedAt)),
      );
      return row;
    }),
  );
}

async function show(callSid) {
  selected = callSid;
  const call = await (await api(`/api/calls/${callSid}`)).json();
  const events = (await (await api(`/api/calls/${callSid}/events`)).text()).trim().split("\n");
  byId("detail").hidden = false;
  byId("detail-title").textContent =
    `${callSid} · ${call.state}${call.endReason ? ` (${call.endReason})` : ""}`;
  byId("commands").replaceChildren(
    ...(call.endedAt ? [] : COMMANDS.map((name) => commandButton(callSid, name))),
  );
  byId("escalations").replaceChildren(...call.escalations.flatMap(ladderLines));
  byId("transcript").replaceChildren(
    ...call.transcript.map((entry) => {
      const item = element("li", `${entry.speaker}: ${entry.heardText ?? entry.text}`);
      const rest = entry.heardText === undefined ? "" : entry.text.slice(entry.heardText.length);
      if (rest) item.append(element("span", rest, { class: "unheard", title: "not heard" }));
      if (entry.speaker === "coach") item.append(element("em", " (only the person on call hears this)"));
      return item;
    }),
  );
  byId("recordings").replaceChildren(
    ...call.recordings.map((track) =>
      element("a", `Recording: ${track}`, { href: `/api/calls/${callSid}/recordings/${track}.wav` }),
    ),
  );
  byId("events").replaceChildren(
    ...events.filter(Boolean).map((line) => {
      const entry = JSON.parse(line);
      return element("li", `${clock(entry.at)} ${entry.kind} ${entry.name} ${JSON.stringify(entry.data)}`);
    }),
  );
}

function ladderLines({ number, outcome, owner, walks, pages }) {
  const who = owner ? `${owner.contact} (${owner.rung}) by ${owner.channel}` : "nobody yet";
  const head = element("li", `Incident ${number}: ${outcome ?? "open"}, ${who}, walk ${walks}`);
  const lines = pages.map((page) => {
    const result = page.result ?? "under way";
    return element(
      "li",
      `${clock(page.startedAt)} ${page.rung} · ${page.contact} · ${page.channel}: ${result}`,
    );
  });
  return [head, ...lines];
}

function commandButton(callSid, command) {
  const button = element("button", command, { type: "button" });
  button.addEventListener("click", () => void send(callSid, command).catch(report));
  return button;
}

async function send(callSid, command) {
  const body = { command };
  if (command === "escalate") {
    const to = prompt("Number to call, in E.164 form; empty: the person on call");
    if (to === null) return;
    if (to) body.to = to;
  } else if (!confirm(`${command}: are you sure?`)) return;
  await api(`/api/calls/${callSid}/commands`, { method: "POST", body: JSON.stringify(body) });
}

function follow() {
  const socket = new WebSocket(
    `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/feed`,
  );
  socket.addEventListener("open", () => {
    retryMs = 500;
    byId("status").textContent = "live";
    void refresh();
  });
  socket.addEventListener("message", (message) => {
    const { type, callSid } = JSON.parse(message.data);
    if (type === "state") void refresh();
    else if (callSid === selected) void show(callSid).catch(report);
  });
  socket.addEventListener("close", () => {
    byId("status").textContent = "not connected, trying again…";
    setTimeout(follow, retryMs);
    retryMs = Math.min(retryMs * 2, 10_000);
  });
}

const report = (error) => {
  byId("status").textContent = error.message;
};

const refresh = () => Promise.all([showCalls(), selected ? show(selected) : null]).catch(report);

/** In sandbox mode calls can be placed from the browser. */
async function linkPhones() {
  const { phonesUrl } = await (await api("/api/sandbox")).json();
  byId("phones").href = phonesUrl;
  byId("phones").hidden = false;
}

async function signIn(form) {
  try {
    await api("/console/sign-in", { method: "POST", body: new URLSearchParams(new FormData(form)) });
    byId("sign-in").hidden = true;
    await refresh();
  } catch (error) {
    report(error);
  }
}

byId("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  void signIn(event.target);
});

void refresh();
void linkPhones().catch(() => undefined);
follow();
