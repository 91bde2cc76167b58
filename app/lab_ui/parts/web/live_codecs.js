// Outputs to drag by hand: what they are read as, what the loss is there, and which way it pulls.

const TALL = 190;

class Panel {
  constructor(root, lesson) {
    this.root = root;
    this.lesson = lesson;
    this.show = onFrame(() => this.draw());
    new ResizeObserver(() => { if (this.spec && this.outer !== sizeOf(this.root)) this.show(); }).observe(root);
  }

  update(spec, label, names, turn) {
    const told = JSON.stringify({ ...spec, start: null }); // where a hand has left it, this panel knows itself
    this.label = label;
    this.names = names;
    if (told !== this.told || turn !== this.turn) {
      const kept = this.spec && turn === this.turn && this.spec.width === spec.width && this.spec.code === spec.code ? this.z : spec.start;
      this.told = told;
      this.turn = turn;
      this.spec = spec;
      this.z = kept.slice();
      this.build();
    }
    this.show();
  }

  part(name) { return this.root.querySelector(`[data-part="${name}"]`); }

  build() {
    const { spec } = this, wide = spec.span[1] - spec.span[0], far = Math.max(...this.z.map((v) => Math.abs(v - spec.middle)));
    this.low = Math.min(spec.span[0], spec.middle - 1.1 * far);
    this.high = Math.max(spec.span[1], spec.middle + 1.1 * far);
    if (spec.code === "line") [this.low, this.high] = [Math.min(spec.span[0], this.z[0] - 0.02 * wide), Math.max(spec.span[1], this.z[0] + 0.02 * wide)];
    this.root.innerHTML = `<h2>${esc(spec.title)}</h2><p class="tl-kind">${esc(spec.kind)}</p>
      <div class="tl-read"><span data-part="chip"></span><span data-part="margin"></span></div>
      <div class="tl-drag" data-part="drag" style="height:calc(${TALL / 16}rem * var(--tl-scale, 1))"><div data-part="chart"></div>${spec.names.map((name, i) =>
        `<div class="tl-handle" role="slider" tabindex="0" data-handle="${i}" aria-label="${esc(name)}" aria-orientation="${spec.code === "line" ? "horizontal" : "vertical"}"></div>`).join("")}</div>
      <p data-part="loss"></p><p class="tl-note tl-held" data-part="pull"></p>
      <p><button type="button" data-part="perfect"></button></p>
      ${spec.words ? `<p class="tl-kind">${esc(spec.words)}</p>` : ""}
      ${spec.tiles ? `<div class="tl-tiles ${spec.width > 5 ? "tl-wide" : ""}" role="group" aria-label="All codewords">${spec.tiles.map((tile) =>
        `<button type="button" data-bits="${tile.bits}" aria-label="${tile.bits} means ${esc(read(tile.label, this.names))}"><b>${tile.bits}</b><br>${tile.label < 0 ? "▨" : esc(this.names[tile.label])}</button>`).join("")}</div>` : ""}`;
    this.root.querySelectorAll("[data-handle]").forEach((handle) => {
      handle.onkeydown = (event) => this.press(event, Number(handle.dataset.handle));
    });
    this.root.querySelectorAll("[data-bits]").forEach((tile) => {
      tile.onclick = () => this.set([...tile.dataset.bits].map((bit) => spec.threshold + (2 * bit - 1) * spec.rail));
    });
    this.part("perfect").onclick = () => this.set(this.perfect());
    this.grab(this.part("drag"));
    this.outer = 0;
  }

  /** The middle of the label's codeword. */
  perfect() {
    const { spec, label } = this;
    if (spec.code === "scores") return this.z.map((_, k) => (k === label ? 8 : -2));
    if (spec.code === "bits") return spec.rows[label].map((bit) => spec.threshold + (2 * bit - 1) * spec.rail);
    return [(spec.lower[label] + spec.upper[label]) / 2];
  }

  set(z) {
    this.z = z.map((v) => this.snapped(v));
    this.show();
    this.lesson.moved();
  }

  snapped(value) {
    const held = Math.min(this.high, Math.max(this.low, value));
    return Number((Math.round(held / this.spec.step) * this.spec.step).toFixed(6));
  }

  move(i, value) { this.set(this.z.map((v, k) => (k === i ? value : v))); }

  press(event, i) {
    const step = this.spec.step, jump = 10 * step;
    const by = { ArrowUp: step, ArrowRight: step, ArrowDown: -step, ArrowLeft: -step, PageUp: jump, PageDown: -jump }[event.key];
    const to = by !== undefined ? this.z[i] + by : event.key === "Home" ? this.low : event.key === "End" ? this.high : null;
    if (to === null) return;
    event.preventDefault();
    event.stopPropagation(); // the page around has shortcuts of its own on the arrows
    this.move(i, to);
  }

  /** A pointer takes the nearest marker along, wherever it comes down. */
  grab(area) {
    const value = (event) => {
      const box = area.getBoundingClientRect();
      const at = this.spec.code === "line" ? event.clientX - box.left : event.clientY - box.top;
      return this.valueAt(at / scale());
    };
    let held = -1;
    area.onpointerdown = (event) => {
      const box = area.getBoundingClientRect(), x = (event.clientX - box.left) / scale();
      held = this.spec.code === "line" ? 0 : Math.floor((x - this.left) / this.stride);
      if (held < 0 || held >= this.z.length) { held = -1; return; }
      area.setPointerCapture(event.pointerId);
      event.preventDefault();
      this.root.querySelector(`[data-handle="${held}"]`).focus();
      this.move(held, value(event));
    };
    area.onpointermove = (event) => { if (held >= 0) this.move(held, value(event)); };
    area.onpointerup = area.onpointercancel = () => { held = -1; };
  }

  valueAt(pixel) {
    const { low, high } = this;
    return this.spec.code === "line"
      ? low + ((pixel - 8) / (this.width - 16)) * (high - low) : high - ((pixel - 8) / (this.bottom - 8)) * (high - low);
  }

  pixelOf(value) {
    const share = (Math.min(this.high, Math.max(this.low, value)) - this.low) / (this.high - this.low);
    return this.spec.code === "line" ? 8 + share * (this.width - 16) : this.bottom - share * (this.bottom - 8);
  }

  draw() {
    const { spec, z, label, names } = this, decoded = decode(spec, z), [loss, gradient] = lossAndGradient(spec, z, label);
    this.outer = sizeOf(this.root);
    this.width = chartWidth(this.part("drag"));
    this.left = spec.code === "bits" ? 44 : 0;
    this.stride = (this.width - this.left) / spec.width;
    this.bottom = TALL - (spec.code === "line" ? 34 : 50);
    const still = gradient.every((g) => g === 0), drawing = { scores: drawScores, bits: drawBits, line: drawLine }[spec.code];
    const values = z.map((v) => exact(v)).join(", "), words = `outputs ${values}, read as ${read(decoded, names)}`;
    write(this.part("chip"), chip(decoded, label, names), true);
    write(this.part("margin"), `margin of ${names[label]}: ${number(margin(spec, z, label))}`);
    write(this.part("chart"), picture(HATCH + drawing(this, decoded, gradient), `${spec.title}: ${words}`, this.width, TALL), true);
    const largest = Math.max(...gradient.map(Math.abs));
    write(this.part("loss"), `loss <b data-part="lossvalue">${loss === 0 ? "0, exactly" : number(loss)}</b> · gradient <b>${still ? "0, exactly" : `up to ${number(largest)}`}</b>`, true);
    write(this.part("pull"), still ? "The loss does not pull: an attack that climbs it has nothing to follow." :
      decoded === label ? "The answer is right, but the loss still pulls: an attack has a gradient to follow." :
      "The loss pulls towards the label, as the arrows show.");
    write(this.part("perfect"), `Move to the codeword of ${names[label]}`);
    this.root.querySelectorAll("[data-handle]").forEach((handle, i) => {
      const at = this.pixelOf(z[i]), across = this.left + (i + 0.5) * this.stride;
      handle.style.left = `${(spec.code === "line" ? at : across) * scale()}px`;
      handle.style.top = `${(spec.code === "line" ? this.bottom * 0.66 : at) * scale()}px`;
      const told = { valuemin: this.low, valuemax: this.high, valuenow: z[i], valuetext: `${exact(z[i])}, read as ${read(decoded, names)}` };
      for (const [name, value] of Object.entries(told)) handle.setAttribute(`aria-${name}`, String(value));
    });
    const bits = spec.code === "bits" ? z.map((v) => +(Math.fround(v) > spec.threshold)).join("") : "";
    this.root.querySelectorAll("[data-bits]").forEach((tile) => tile.setAttribute("aria-current", String(tile.dataset.bits === bits)));
    this.said = `${spec.title} reads ${read(decoded, names)}, loss ${loss === 0 ? "exactly 0" : number(loss)}`;
  }
}

const pull = (g, way) => (g === 0 ? "0" : way[g < 0 ? 0 : 1]); // training goes against the gradient

function drawScores(panel, decoded, gradient) {
  const zero = panel.pixelOf(0), look = LOOKS[outcome(decoded, panel.label)];
  return panel.z.map((v, k) => {
    const x = (k + 0.5) * panel.stride, y = panel.pixelOf(v), chosen = k === decoded;
    return `<rect x="${x - panel.stride * 0.36}" width="${panel.stride * 0.72}" y="${Math.min(y, zero)}" height="${Math.abs(y - zero) + 1}" fill="${chosen ? look.colour : GREY}" fill-opacity="${chosen ? 1 : 0.55}"/>` +
      (chosen ? word(x, v >= 0 ? y - 6 : y + 17, look.sign, 'font-weight="700"') : "") + tick(x, panel.bottom + 16, panel.names[k], k === panel.label) +
      word(x, panel.bottom + 45, pull(gradient[k], "▲▼"), 'font-size="12"');
  }).join("") + `<line x1="0" x2="${panel.width}" y1="${zero}" y2="${zero}" stroke="${GREY}"/>`;
}

function drawBits(panel, decoded, gradient) {
  const { spec, label, left, stride, width, bottom } = panel, found = [], y = (value) => panel.pixelOf(value);
  const band = (x, a, b, fill, opacity) => `<rect x="${x}" y="${Math.min(y(a), y(b))}" width="${stride * 0.8}" height="${Math.abs(y(a) - y(b))}" fill="${fill}" fill-opacity="${opacity}"/>`;
  spec.rows[label].forEach((bit, i) => {
    const x = left + (i + 0.1) * stride, [own, other] = bit ? [panel.high, panel.low] : [panel.low, panel.high];
    found.push(band(x, spec.threshold, own, BLUE, 0.2), band(x, spec.threshold, other, GREY, 0.1));
    if (spec.loss === "hinge") found.push(band(x, spec.threshold + (2 * bit - 1) * spec.margin, own, BLUE, 0.3)); // loss 0
  });
  for (const [value, dash] of [[spec.threshold, ""], [spec.threshold - spec.rail, "2 4"], [spec.threshold + spec.rail, "2 4"]]) {
    found.push(`<line x1="${left}" x2="${width}" y1="${y(value)}" y2="${y(value)}" stroke="${GREY}" stroke-width="2" stroke-dasharray="${dash}"/>`);
    found.push(`<text x="${left - 5}" y="${y(value) + 4}" text-anchor="end" font-size="12">${exact(value)}</text>`);
  }
  panel.z.forEach((v, i) => {
    const x = left + (i + 0.5) * stride, now = +(Math.fround(v) > spec.threshold), look = LOOKS[now === spec.rows[label][i] ? "correct" : "wrong"];
    found.push(marker(look.symbol, x, y(v), 17, look.colour), word(x, bottom + 18, now, 'font-weight="700"'));
    found.push(word(x, bottom + 40, pull(gradient[i], "▲▼"), 'font-size="12"'));
  });
  found.push(`<text x="${left - 5}" y="${bottom + 18}" text-anchor="end" font-size="12">bit</text><text x="${left - 5}" y="${bottom + 40}" text-anchor="end" font-size="12">pull</text>`);
  return found.join("");
}

function drawLine(panel, decoded, gradient) {
  const { spec, label, names, bottom, width } = panel, value = panel.z[0], x = (v) => panel.pixelOf(v);
  const chart = { lower: spec.lower, upper: spec.upper, floor: spec.gap === "floor", end: spec.gap === "floor" ? spec.reach.at(-1) : spec.upper.at(-1),
    low: panel.low, high: panel.high, shown: spec.shown, names };
  const at = bottom * 0.66, top = 8, most = Math.max(1e-9, ...[panel.low, panel.high].map((v) => lossAndGradient(spec, [v], label)[0]));
  const curve = Array.from({ length: 121 }, (_, i) => {
    const v = panel.low + (i / 120) * (panel.high - panel.low);
    return `${x(v)},${bottom - 4 - (lossAndGradient(spec, [v], label)[0] / most) * (bottom - top - 8)}`;
  }).join(" ");
  const look = LOOKS[outcome(decoded, label)], way = pull(gradient[0], "▶◀");
  return lineGround(chart, { label, decoded }, x, top, bottom) +
    `<polyline points="${curve}" fill="none" stroke="currentColor" stroke-width="2" stroke-dasharray="6 3"/>` +
    `<line x1="${x(value)}" x2="${x(value)}" y1="${top}" y2="${bottom}" stroke="currentColor" stroke-width="1"/>` + marker(look.symbol, x(value), at, 20, look.colour) +
    `<text x="${Math.min(width - 24, Math.max(24, x(value)))}" y="${at - 18}" text-anchor="middle" font-weight="700" class="tl-over">${way === "◀" ? "◀ " : ""}${exact(value)}${way === "▶" ? " ▶" : ""}</text>`;
}

class Lesson {
  constructor(root) {
    this.root = root;
    this.panels = new Map();
    this.onRest = () => {};
    root.innerHTML = '<div class="tl-panels"></div><p class="tl-unseen" aria-live="polite"></p>';
    this.rest = quietly(root, () => {
      this.root.querySelector(".tl-unseen").textContent = [...this.panels.values()].map((panel) => panel.said).join(". ");
      this.onRest(Object.fromEntries([...this.panels].map(([key, panel]) => [key, panel.z])));
    }, 600);
  }

  moved() { this.rest(); }

  update({ panels, label, names, turn }) {
    const holder = this.root.firstChild;
    for (const spec of panels) {
      if (!this.panels.has(spec.key)) {
        const section = document.createElement("section");
        section.className = "tl-cell";
        section.dataset.panel = spec.key;
        holder.append(section);
        this.panels.set(spec.key, new Panel(section, this));
      }
      this.panels.get(spec.key).update(spec, label, names, turn);
    }
  }
}

export default function ({ data: [data], parentElement, setStateValue }) {
  const root = parentElement.querySelector(".tl");
  root.live ??= new Lesson(root);
  root.live.onRest = (outputs) => setStateValue("outputs", outputs);
  root.live.update(data);
}
