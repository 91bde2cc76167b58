// What the browser does by itself on every page. It is begun once for a tab, and told at each run what is shown.

/** The first element that a selector finds, also inside components, which have shadow roots. */
const find = (selector, root = document) => {
  const here = root.querySelector(selector);
  if (here) return here;
  for (const each of root.querySelectorAll("*")) {
    const inside = each.shadowRoot && find(selector, each.shadowRoot);
    if (inside) return inside;
  }
  return null;
};
const typing = (target) => target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement
  || target.isContentEditable || (target instanceof HTMLInputElement && !["checkbox", "radio", "range", "button"].includes(target.type));
const press = (key) => {
  const button = document.querySelector(`.st-key-${key} button:not(:disabled)`);
  button?.click();
  return Boolean(button);
};
const HEADER = "[data-testid=stHeader]", STRIP = ".st-key-strip", MAIN = "[data-testid=stMain]";
const PATIENCE = 6000; // milliseconds for which a subject is followed after the last run, as its page may still grow
const RUNS = "[data-testid=stApp][data-test-script-state=running]";

class Browser {
  constructor() {
    this.shown = { scene: "" };
    this.returning = false;  // whether the history has led to a page that is not drawn yet
    const push = history.pushState.bind(history);
    history.pushState = (state, title, url) => { // one page, one entry: the settings of a page are no places to go back to
      const stays = url && new URL(url, location.href).pathname === location.pathname;
      if (stays) return history.replaceState(state, title, url);
      // “back” pressed twice: a run of the page in between, which comes late, would push it, and “forward” were lost
      return this.returning ? undefined : push(state, title, url);
    };
    addEventListener("popstate", () => { this.returning = true; }, { capture: true });
    for (const kind of ["pointerdown", "keydown"]) {
      document.addEventListener(kind, () => { this.returning = false; }, { passive: true, capture: true });
    }
    document.addEventListener("keydown", (event) => this.keydown(event));
    for (const kind of ["wheel", "touchmove", "pointerdown", "keydown"]) {
      document.addEventListener(kind, () => { this.until = 0; }, { passive: true, capture: true });
    }
    setInterval(() => this.look(), 200);
  }

  update(shown, root) {
    this.shown = shown;
    const path = location.pathname.split("/").pop();
    if (path === shown.page || (path === "" && shown.page === "start")) this.returning = false;  // its page is drawn
    this.root = root;
  }

  keydown(event) {
    const target = event.composedPath()[0];
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(target)) return;
    if (this.root.querySelector("dialog").open) return;
    const idle = target === document.body || target === document.documentElement || target.tabIndex < 0;
    if (event.key === "?") this.root.querySelector("dialog").showModal();
    else if (event.key.toLowerCase() === "p") this.play();
    else if (this.shown.lecture && (event.key === "PageDown" || (event.key === " " && idle))) press(this.shown.forward);
    else if (this.shown.lecture && event.key === "PageUp") press(this.shown.back);
    else return;
    event.preventDefault();
  }

  play() {
    const button = find("[data-part=play], .map .go, .map .play");
    button?.click();
  }

  /** On a phone the menu of pages lies over three quarters of the page: it is folded once a page has been chosen. */
  fold() {
    if (this.path === location.pathname) return;
    const opened = this.path !== undefined && innerWidth <= 640;
    this.path = location.pathname;
    if (opened) document.querySelector("[data-testid=stSidebar][aria-expanded=true] [data-testid=stSidebarCollapseButton] button")?.click();
  }

  /** Below the header, and below the strip where it sticks to it: where the page's own sticky parts may begin. */
  measure() {
    const header = document.querySelector(HEADER)?.getBoundingClientRect().bottom ?? 0, strip = document.querySelector(STRIP);
    const sticks = strip && getComputedStyle(strip.parentElement).position === "sticky";
    this.sticks = Boolean(sticks);
    this.top = Math.round(header + (sticks ? strip.parentElement.offsetHeight : 0));
    document.documentElement.style.setProperty("--lab-top", `${this.top}px`);
  }

  /** What the open step of the lesson is about: outlined, and scrolled to until a hand takes over. On a phone, where the
      sentences do not stay in view, it is only outlined: they are read first. */
  look() {
    this.measure();
    this.fold();
    const { scene, subject } = this.shown, found = scene && subject ? find(subject) : null;
    if (this.subject && this.subject !== found) {
      this.subject.style.outline = this.subject.style.outlineOffset = "";
      this.subject.removeAttribute("data-subject");
    }
    this.subject = found;
    if (!found) return;
    if (found.dataset.subject !== scene) {
      found.dataset.subject = scene;
      this.until = performance.now() + PATIENCE;
      found.style.outline = "3px solid #d97706";
      found.style.outlineOffset = "3px";
    }
    if (this.until && document.querySelector(RUNS)) this.until = performance.now() + PATIENCE;
    if (this.sticks && performance.now() < this.until) this.bring(found);
  }

  bring(element) {
    const main = document.querySelector(MAIN), box = element.getBoundingClientRect();
    if (!main || !box.height) return;
    const bar = element.getRootNode().querySelector(".tl-bar"); // of a figure with ε to drag: it sticks, too
    const top = this.top + 10 + (bar && element.getRootNode() !== document && !element.contains(bar) ? bar.offsetHeight : 0);
    const room = innerHeight - top - 10, fits = box.height <= room;
    if (fits ? box.top >= top - 1 && box.bottom <= innerHeight - 9 : Math.abs(box.top - top) < 12) return;
    let by = box.top - top;
    if (fits && by > 0) { // as little as it takes, but what stands above is not cut in two by the bar
      const least = Math.min(box.bottom - innerHeight + 10, by), edge = top + least;
      const above = [...main.querySelectorAll("[data-testid=stElementContainer]")].map((each) => each.getBoundingClientRect());
      const cut = above.filter((each) => each.top < edge && each.bottom > edge && each.bottom <= box.top);
      by = Math.min(by, Math.max(edge, ...cut.map((each) => each.bottom)) - top);
    }
    main.scrollBy({ top: by });
  }
}

/** Copies a text; over plain HTTP, as in a lecture hall, browsers have no clipboard to offer but the old command. */
const copy = async (text) => {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  const field = Object.assign(document.createElement("textarea"), { value: text });
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
};

export default function ({ data: [data], parentElement }) {
  const root = parentElement, button = root.querySelector(".copy");
  root.querySelector(".keys").onclick = () => root.querySelector("dialog").showModal();
  button.onclick = async () => {
    await copy(location.href);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy link"; }, 2000);
  };
  (window.tasklab ??= new Browser()).update(data, root);
}
