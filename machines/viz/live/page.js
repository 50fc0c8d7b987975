/** The page of `bun run viz --serve`. What is shown is in the address: `#call`, `#call/overview`. */
import { View } from "/view.js";

const MAX_FOUND = 200;
const element = (id) => document.getElementById(id);
const view = new View(element("stage"));
let machines = [];
let revision = -1;

const [shownName, shownKind] = location.hash.slice(1).split("/");
const shown = { name: shownName, overview: shownKind === "overview" };
const current = () => machines.find(({ name }) => name === shown.name) ?? machines[0];

function show(options = { keep: false }) {
  const machine = current();
  if (!machine) return;
  shown.name = machine.name;
  history.replaceState(null, "", `#${machine.name}${shown.overview ? "/overview" : ""}`);
  document.title = `${machine.name} · machines`;
  element("overview").checked = shown.overview;
  element("tabs").replaceChildren(...machines.map(tabOf));
  view.show(shown.overview ? machine.overview : machine.svg, options);
  search();
}

function tabOf(machine) {
  const tab = document.createElement("button");
  tab.type = "button";
  tab.textContent = machine.name;
  tab.title = machine.title;
  tab.setAttribute("aria-current", String(machine.name === shown.name));
  tab.addEventListener("click", () => go(machine.name, shown.overview));
  return tab;
}

function go(name, overview) {
  Object.assign(shown, { name, overview });
  show();
}

/** Everything that has all of the words, in all machines; those of the one that is shown come first. */
function search() {
  const words = element("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const first = current();
  // Before the first drawing has come there is none.
  const ordered = first ? [first, ...machines.filter((machine) => machine !== first)] : [];
  const found =
    words.length === 0
      ? []
      : ordered.flatMap((machine) =>
          ["states", "edges"].flatMap((kind) =>
            machine[kind]
              .filter(({ text }) =>
                words.every((word) => `${machine.name} ${text}`.toLowerCase().includes(word)),
              )
              .map((part) => ({ machine, kind, part })),
          ),
        );
  const more = found.length > MAX_FOUND ? `, the first ${MAX_FOUND} are listed` : "";
  element("count").textContent = words.length === 0 ? "" : `${found.length} found${more}`;
  element("found").replaceChildren(...found.slice(0, MAX_FOUND).map(rowOf));
}

function rowOf({ machine, kind, part }) {
  const row = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  const where = document.createElement("small");
  where.textContent = `${machine.name} ${kind === "states" ? "state" : "edge"} `;
  button.append(where, part.text);
  button.addEventListener("click", () => {
    if (machine.name !== shown.name || shown.overview) go(machine.name, false);
    view.find(kind === "states" ? "state" : "edge", part.id);
  });
  row.append(button);
  return row;
}

function setTheme(theme) {
  document.documentElement.dataset.theme =
    theme === "auto" ? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light") : theme;
  for (const link of document.querySelectorAll("link[data-theme]")) {
    const own = link.dataset.theme;
    link.media = theme === "auto" ? `(prefers-color-scheme: ${own})` : own === theme ? "all" : "not all";
  }
}

async function onState(state) {
  element("status").textContent = state.busy
    ? "drawing…"
    : state.problem === null
      ? "up to date"
      : "cannot be drawn";
  element("problem").hidden = state.problem === null;
  element("problem").querySelector("pre").textContent = state.problem ?? "";
  if (state.revision === revision || state.revision === 0) return;
  revision = state.revision;
  machines = await (await fetch("/machines")).json();
  show({ keep: true });
}

const source = new EventSource("/events");
source.addEventListener("message", (event) => void onState(JSON.parse(event.data)));
source.addEventListener("error", () => {
  // Its server may have been started anew, and counts from the beginning.
  revision = -1;
  element("status").textContent = "not connected: is bun run viz --serve running?";
});

element("search").addEventListener("input", search);
element("overview").addEventListener("change", (event) => go(shown.name, event.target.checked));
element("theme").addEventListener("change", (event) => setTheme(event.target.value));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTheme(element("theme").value));
for (const button of document.querySelectorAll("[data-do]")) {
  button.addEventListener("click", () => view.act(button.dataset.do));
}
document.addEventListener("keydown", (event) => {
  const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
  if (event.key === "/" && !typing) {
    event.preventDefault();
    element("search").focus();
  } else if (event.key === "Escape" && event.target === element("search")) {
    element("search").value = "";
    search();
    element("stage").focus();
  }
});
setTheme("auto");
