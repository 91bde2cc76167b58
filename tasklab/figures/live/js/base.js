// Shared by the scene, the player and the codecs: numbers and labels as people read them, pixels, keys.

const HATCH = '<defs><pattern id="tl-hatch" width="7" height="7" patternUnits="userSpaceOnUse" ' +
  'patternTransform="rotate(45)"><line x1="0" y1="0" x2="0" y2="7" stroke="#8a8a8a" stroke-width="3"/></pattern></defs>';

const esc = (text) => String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** A number to read aloud: two digits or whole, no exponent, a real minus sign. */
function number(value) {
  const text = Math.abs(value) >= 10
    ? Math.round(value).toLocaleString("en-US") : String(Number(Number(value).toPrecision(2)));
  return text.replace("-", "−");
}

/** A number with up to four digits, as in `%.4g`. */
function exact(value) {
  return String(Number(Number(value).toPrecision(4))).replace("-", "−");
}

const outcome = (decoded, label) => (decoded < 0 ? "abnormal" : decoded === label ? "correct" : "wrong");

const read = (decoded, names) => (decoded < 0 ? "None" : names[decoded]);

/** A class's name with its article. */
const an = (name) => `${/^[aeio8]/.test(name) ? "an" : "a"} ${name}`;

/** What was read, with colour, sign and word. */
function chip(decoded, label, names) {
  const kind = outcome(decoded, label), look = LOOKS[kind];
  const size = decoded < 0 ? 0 : names[decoded].length; // its sign and colour say enough where there is little room
  const said = kind === "abnormal" || label === null ? "" : ` · ${look.word}`;
  const word = size > 1 && said ? `<span class="${size > 6 ? "tl-most" : "tl-more"}">${said}</span>` : said;
  return `<span class="tl-chip tl-${kind}">${look.sign} reads ${esc(read(decoded, names))}${word}</span>`;
}

function bytes(base64) {
  const text = atob(base64), found = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) found[i] = text.charCodeAt(i);
  return found;
}

const signed = (base64) => new Int8Array(bytes(base64).buffer);

/** Paint a canvas with a value in 0..255 for each channel and pixel; the browser enlarges it without blur. */
function paint(canvas, shape, value) {
  const [channels, height, width] = shape, size = height * width;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d"), pixels = context.createImageData(width, height), to = pixels.data; // cuts off and rounds
  for (let i = 0; i < size; i++) {
    to[4 * i] = value(i);
    to[4 * i + 1] = channels === 3 ? value(size + i) : to[4 * i];
    to[4 * i + 2] = channels === 3 ? value(2 * size + i) : to[4 * i];
    to[4 * i + 3] = 255;
  }
  context.putImageData(pixels, 0, 0);
}

/** Set an element's text or HTML only where it changes. */
function write(element, text, html = false) {
  if (element.written === text) return;
  element.written = text;
  if (html) element.innerHTML = text;
  else element.textContent = text;
}

/** Call `draw` once before the next frame, however often it is asked for. */
function onFrame(draw) {
  let asked = 0;
  return () => {
    asked ||= requestAnimationFrame(() => { asked = 0; draw(); });
  };
}

/** Call `act(false)` when `wait` milliseconds have passed without another call; `now` calls `act(true)` if one is due. */
function quiet(act, wait) {
  let timer = 0;
  const later = () => { clearTimeout(timer); timer = setTimeout(() => { timer = 0; act(false); }, wait); };
  later.now = () => { if (timer) { clearTimeout(timer); timer = 0; act(true); } };
  later.due = () => timer !== 0;
  return later;
}

/** As `quiet`, for messages to a server: later while the visitor uses something else, and never after the page is left. */
function quietly(root, act, wait) {
  let leaving = false, touched = -Infinity;
  // Not before the browser is idle: sent together with a click, it would make that click's run one of this part alone.
  const idle = window.requestIdleCallback ?? window.setTimeout;
  const send = () => { if (root.isConnected && !leaving) act(); };
  const later = quiet((now) => {
    if (now) send();
    else idle(() => performance.now() - touched < wait ? later() : send(), { timeout: 1000 });
  }, wait);
  const elsewhere = (event) => {
    if (!root.isConnected) for (const kind of kinds) document.removeEventListener(kind, elsewhere, true);
    const path = event.composedPath(), here = path.includes(root);
    leaving = !here && event.type === "click" && path.some((each) => each.tagName === "A");
    if (here) return;
    touched = performance.now();
    if (later.due()) later();
  };
  const kinds = ["pointerdown", "keydown", "click"];
  for (const kind of kinds) document.addEventListener(kind, elsewhere, true);
  return later;
}

/** Keep the keys that the sliders use from the page around them, which has shortcuts of its own on the arrows. */
function keepKeys(element) {
  if (element.dataset.keys) return;
  element.dataset.keys = "kept";
  element.addEventListener("keydown", (event) => {
    if (/^(Arrow|Home|End|Page| |Enter)/.test(event.key)) event.stopPropagation();
  });
}

let scaled = 0;

/** How much larger than usual charts are drawn: in proportion to the page's type and its property `--tl-scale`. */
function scale() {
  if (!scaled) { // asked once a frame, as the browser lays the page out for each answer
    const style = getComputedStyle(document.documentElement);
    scaled = parseFloat(style.fontSize) / 16 * (parseFloat(style.getPropertyValue("--tl-scale")) || 1);
    requestAnimationFrame(() => { scaled = 0; });
  }
  return scaled;
}

/** What charts depend on: the room there is, and the size of the type. */
const sizeOf = (root) => `${root.clientWidth} ${scale()}`;
