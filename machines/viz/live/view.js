/** A drawing that is moved and zoomed by mouse, touch and keys: its view box is what changes. */

const STEP = 1.25;
const MAX_ZOOM = 12;
const MOVE_SHARE = 0.12;
const KEYS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export class View {
  #stage;
  #svg = null;
  #size = { width: 1, height: 1 };
  #box = { x: 0, y: 0, width: 1, height: 1 };
  /** Fingers and buttons that are down, where they last were. */
  #pointers = new Map();

  constructor(stage) {
    this.#stage = stage;
    stage.addEventListener("wheel", (event) => this.#onWheel(event), { passive: false });
    stage.addEventListener("pointerdown", (event) => this.#onDown(event));
    stage.addEventListener("pointermove", (event) => this.#onMove(event));
    for (const name of ["pointerup", "pointercancel"]) {
      stage.addEventListener(name, (event) => this.#pointers.delete(event.pointerId));
    }
    stage.addEventListener("keydown", (event) => this.#onKey(event));
    new ResizeObserver(() => this.#set(this.#box)).observe(stage);
  }

  /** `keep`: what was in view stays in view. */
  show(text, { keep }) {
    const svg = document.importNode(
      new DOMParser().parseFromString(text, "image/svg+xml").documentElement,
      true,
    );
    const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
    const same = keep && this.#svg?.dataset.machine === svg.dataset.machine;
    svg.removeAttribute("width");
    svg.removeAttribute("height");
    svg.setAttribute("preserveAspectRatio", "xMidYMin meet");
    this.#size = { width, height };
    this.#svg = svg;
    this.#stage.replaceChildren(svg);
    if (same) this.#set(this.#box);
    else this.act("fit");
  }

  act(what) {
    if (what === "in") this.#zoom(1 / STEP, this.#middle());
    else if (what === "out") this.#zoom(STEP, this.#middle());
    // A long drawing is fitted by its width, and begins at its top.
    else this.#set({ x: 0, y: 0, width: this.#size.width, height: this.#fitHeight() });
  }

  /** Marks a state or an edge, and brings it into view, so near that it can be read. */
  find(kind, id) {
    for (const marked of this.#svg.querySelectorAll(".found")) marked.classList.remove("found");
    const all = [...this.#svg.querySelectorAll(`[data-${kind}="${CSS.escape(id)}"]`)];
    for (const each of all) each.classList.add("found");
    const [first] = all;
    if (!first) return;
    const at = first.getBoundingClientRect();
    const middle = this.#pointAt(at.left + at.width / 2, at.top + at.height / 2);
    const scale = Math.min(1, this.#scale());
    const [width, height] = [this.#stage.clientWidth * scale, this.#stage.clientHeight * scale];
    this.#set({ x: middle.x - width / 2, y: middle.y - height / 2, width, height });
  }

  #fitHeight() {
    const { clientWidth, clientHeight } = this.#stage;
    return Math.min(this.#size.height, (this.#size.width * clientHeight) / Math.max(1, clientWidth));
  }

  /** Units of the drawing for a pixel of the screen. */
  #scale() {
    const { clientWidth, clientHeight } = this.#stage;
    return Math.max(this.#box.width / Math.max(1, clientWidth), this.#box.height / Math.max(1, clientHeight));
  }

  #middle() {
    const { left, top, width, height } = this.#stage.getBoundingClientRect();
    return this.#pointAt(left + width / 2, top + height / 2);
  }

  #pointAt(clientX, clientY) {
    const point = new DOMPoint(clientX, clientY);
    return point.matrixTransform(this.#svg.getScreenCTM().inverse());
  }

  #zoom(factor, at) {
    const { width: whole } = this.#size;
    const width = Math.min(whole * 4, Math.max(whole / MAX_ZOOM, this.#box.width * factor));
    const by = width / this.#box.width;
    this.#set({
      x: at.x - (at.x - this.#box.x) * by,
      y: at.y - (at.y - this.#box.y) * by,
      width,
      height: this.#box.height * by,
    });
  }

  #move(dx, dy) {
    this.#set({ ...this.#box, x: this.#box.x + dx, y: this.#box.y + dy });
  }

  /** Some of the drawing always stays in view. */
  #set({ x, y, width, height }) {
    const within = (at, size, whole) => Math.min(whole - size * 0.1, Math.max(-size * 0.9, at));
    this.#box = {
      x: within(x, width, this.#size.width),
      y: within(y, height, this.#size.height),
      width,
      height,
    };
    this.#svg?.setAttribute("viewBox", Object.values(this.#box).join(" "));
  }

  #onWheel(event) {
    if (!this.#svg) return;
    event.preventDefault();
    // A pad pans; a wheel that is turned with ctrl, and a pinch on a pad, zoom.
    if (event.ctrlKey || event.metaKey) {
      this.#zoom(Math.exp(event.deltaY * 0.004), this.#pointAt(event.clientX, event.clientY));
    } else {
      const scale = this.#scale();
      const across = event.shiftKey && event.deltaX === 0;
      this.#move((across ? event.deltaY : event.deltaX) * scale, across ? 0 : event.deltaY * scale);
    }
  }

  #onDown(event) {
    this.#stage.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }

  #onMove(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before || !this.#svg) return;
    const now = { x: event.clientX, y: event.clientY };
    const others = [...this.#pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    this.#pointers.set(event.pointerId, now);
    const scale = this.#scale();
    const share = 1 / (others.length + 1);
    this.#move((before.x - now.x) * scale * share, (before.y - now.y) * scale * share);
    const [other] = others;
    if (!other) return;
    const apart = (at) => Math.max(1, Math.hypot(at.x - other.x, at.y - other.y));
    this.#zoom(apart(before) / apart(now), this.#pointAt((now.x + other.x) / 2, (now.y + other.y) / 2));
  }

  #onKey(event) {
    const way = KEYS[event.key];
    const does = { "+": "in", "=": "in", "-": "out", 0: "fit" }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || (!way && !does)) return;
    event.preventDefault();
    if (does) this.act(does);
    else this.#move(way[0] * this.#box.width * MOVE_SHARE, way[1] * this.#box.height * MOVE_SHARE);
  }
}
