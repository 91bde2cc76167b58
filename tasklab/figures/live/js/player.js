// The player: PGD step by step, from iterates and gradients that are sent once. It computes the sub-steps itself.

const PHASES = ["gradient", "sign", "step", "projection"];

/** `direction` at Euclidean length `length`; zeros stay. */
function rescaled(direction, length) {
  let sum = 0;
  const largest = direction.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  if (!largest) return direction;
  for (const v of direction) sum += (v / largest) ** 2;
  return direction.map((v) => (v / largest) * (length / Math.sqrt(sum)));
}

/** One step of PGD as the library takes it: which way, where to, and back into the ball and into [0, 1]. */
function pgdStep(x, gradient, clean, { eps, step_size, norm }) {
  const linf = norm === "linf";
  const way = linf ? gradient.map(Math.sign) : rescaled(gradient, 1);
  const moved = x.map((v, i) => v + step_size * way[i]);
  const away = moved.map((v, i) => v - clean[i]);
  const far = Math.hypot(...away) > eps, short = linf || !far ? away : rescaled(away, eps);
  let ball = !linf && far ? 1 : 0, box = 0;
  const next = moved.map((v, i) => {
    let at = v;
    if (linf && Math.abs(away[i]) > eps + 2e-5) { ball += 1; at = clean[i] + Math.sign(away[i]) * eps; }
    if (!linf) at = clean[i] + short[i];
    if (at < -2e-5 || at > 1 + 2e-5) box += 1; // pixels come as 16-bit numbers
    return Math.min(1, Math.max(0, at));
  });
  return { way, moved, next, ball, box };
}

class Player {
  constructor(root) {
    this.root = root;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.show = onFrame(() => this.draw());
    this.speak = quiet(() => { this.part("live").textContent = this.spoken(); }, 500);
    new ResizeObserver(() => { if (this.data && this.width !== sizeOf(this.root)) this.show(); }).observe(root);
  }

  part(name) { return this.parts.get(name); }

  update(data) {
    if (this.data && data.id === this.data.id) return;
    this.stop();
    this.data = data;
    this.size = data.shape.reduce((a, b) => a * b, 1);
    for (const name of ["clean", "images"]) this[name] = Float32Array.from(new Uint16Array(bytes(data[name]).buffer), (v) => v / 65535);
    this.gradients = new Int16Array(bytes(data.gradients).buffer);
    this.steps = data.outputs.length - 1;
    this.build();
    this.go(Math.min(4, 4 * this.steps)); // the first step, whole
  }

  build() {
    const data = this.data, linf = data.norm === "linf", last = 4 * this.steps;
    const words = {
      now: ["now", "the image as it is"], gradient: ["gradient", "how to climb: bright means lighter, dark means darker"],
      sign: linf ? ["its sign", "every pixel goes up, down or stays"] : ["its direction", "the gradient at length 1"],
      step: [`one step of ${number(data.step_size)}`, "added to the image"], projection: ["projected", "back into the ε-ball and into [0, 1]"],
    };
    this.root.innerHTML = `
      <p class="tl-lead" data-part="lead"></p>
      <div class="tl-deck"><button type="button" data-part="back">◀ step</button>
        <button type="button" data-part="play">Play</button><button type="button" data-part="next">step ▶</button>
        <input type="range" min="0" max="${last}" step="1" data-part="at" aria-label="Place in the attack, with four parts to each step"></div>
      <div class="tl-phases">${Object.entries(words).map(([name, [title, note]]) => `
        <figure data-part="of-${name}"><canvas role="img" data-part="${name}" aria-label="${esc(title)}"></canvas>
        <figcaption><b>${esc(title)}</b><br><span data-part="note-${name}">${esc(note)}</span></figcaption></figure>`).join("")}</div>
      <div class="tl-two"><div><div class="tl-read"><span data-part="chip"></span><span data-part="kept"></span></div>
        <div class="tl-chart" data-part="chart"></div></div>
        <div><p data-part="climbed"></p><div class="tl-chart" data-part="climb"></div></div></div>
      <p class="tl-unseen" aria-live="polite" data-part="live"></p>`;
    this.parts = new Map([...this.root.querySelectorAll("[data-part]")].map((element) => [element.dataset.part, element]));
    this.width = 0;
    const slider = this.part("at");
    slider.oninput = () => { this.stop(); this.go(Number(slider.value)); };
    this.part("back").onclick = () => { this.stop(); this.go(Math.max(0, 4 * (Math.ceil(this.at / 4) - 1))); };
    this.part("next").onclick = () => { this.stop(); this.go(Math.min(last, 4 * (Math.floor(this.at / 4) + 1))); };
    this.part("play").onclick = () => (this.timer ? this.stop() : this.play());
    keepKeys(this.root);
  }

  go(at) {
    this.at = at;
    this.part("at").value = String(at);
    this.part("at").setAttribute("aria-valuetext", this.words());
    this.show();
    if (!this.timer) this.speak();
  }

  play() {
    const last = 4 * this.steps, stride = this.calm.matches ? 4 : 1; // with reduced motion: whole steps, slowly
    if (this.at >= last) this.go(0);
    this.timer = setInterval(() => {
      this.go(Math.min(last, this.at + stride));
      if (this.at >= last) this.stop();
    }, this.calm.matches ? 1500 : 450);
    this.button(true);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = 0;
    if (this.parts) this.button(false);
  }

  button(playing) {
    write(this.part("play"), playing ? "Pause" : "Play");
  }

  row(all, k) { return Array.from(all.subarray(k * this.size, (k + 1) * this.size)); }

  /** The current step, and how many of its sub-steps are shown. */
  place() {
    const step = Math.max(0, Math.ceil(this.at / 4) - 1);
    return { step, shown: this.at - 4 * step };
  }

  words() {
    const { step, shown } = this.place();
    return `step ${step + 1} of ${this.steps}: ${shown ? PHASES[shown - 1] : "the image as it is"}`;
  }

  draw() {
    const data = this.data, { step, shown } = this.place(), iterate = step + (shown === 4);
    const size = this.size, image = (values) => (i) => 255 * values[i], grey = () => 127.5;
    if (this.width !== sizeOf(this.root)) {
      this.width = sizeOf(this.root);
      this.chartWidths = ["chart", "climb"].map((name) => chartWidth(this.part(name)));
    }
    const now = this.row(this.images, step), gradient = this.steps ? this.row(this.gradients, step).map((v) => (v * data.peaks[step]) / 32767) : now.map(() => 0);
    const largest = gradient.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    const { way, moved, ball, box } = pgdStep(now, gradient, this.clean, data);
    const top = way.reduce((most, v) => Math.max(most, Math.abs(v)), 0) || 1, next = this.row(this.images, Math.min(step + 1, this.steps));
    const pictures = {
      gradient: (i) => 127.5 + (127.5 * gradient[i]) / (largest || 1), sign: (i) => 127.5 + (127.5 * way[i]) / top,
      step: image(moved), projection: image(next),
    };
    paint(this.part("now"), data.shape, image(now));
    PHASES.forEach((phase, k) => {
      const there = shown > k;
      paint(this.part(phase), data.shape, there ? pictures[phase] : grey);
      this.part(`of-${phase}`).classList.toggle("tl-later", !there);
      this.part(`of-${phase}`).classList.toggle("tl-at", shown === k + 1);
    });
    const cut = data.norm === "linf" ? `${ball} of ${size} values cut back to ±ε` : ball ? "scaled back to length ε" : "inside the ball";
    write(this.part("note-projection"), shown === 4 ? `${cut}, ${box} to [0, 1]` : "back into the ε-ball and into [0, 1]");
    write(this.part("note-gradient"), shown ? (largest ? `largest value ${number(largest)}` : "exactly zero: nothing to follow")
      : "how to climb: bright means lighter, dark means darker");
    write(this.part("lead"), `<b>Step ${this.steps ? step + 1 : 0} of ${this.steps}</b> · ${shown ? PHASES[shown - 1] : "the image as it is"}`, true);
    write(this.part("chip"), chip(data.decoded[iterate], data.label, data.names), true);
    write(this.part("kept"), data.kept === iterate ? "the attack returns this image" : "");
    const view = { before: data.outputs[0], beforeDecoded: data.decoded[0], now: data.outputs[iterate], decoded: data.decoded[iterate], label: data.label };
    drawOutputs(this.part("chart"), data.chart, view, this.chartWidths[0]);
    this.drawClimb(iterate, this.chartWidths[1]);
  }

  /** The objective at every iterate, the present one marked. */
  drawClimb(iterate, width) {
    const values = this.data.values, low = Math.min(0, ...values), high = Math.max(0, ...values), height = 150;
    const x = (k) => 12 + (k / Math.max(1, this.steps)) * (width - 24), y = (v) => height - 12 - ((v - low) / (high - low || 1)) * (height - 24);
    const points = values.map((v, k) => `${x(k)},${y(v)}`).join(" "), words = `${this.data.aim}: ${number(values[iterate])}`;
    write(this.part("climbed"), `What it climbs, ${words}`);
    write(this.part("climb"), picture(`<line x1="0" x2="${width}" y1="${y(0)}" y2="${y(0)}" stroke="${GREY}" stroke-width="1" stroke-dasharray="2 4"/>
      <polyline points="${points}" fill="none" stroke="${GREY}" stroke-width="2"/>
      ${values.map((v, k) => `<circle cx="${x(k)}" cy="${y(v)}" r="${k === iterate ? 7 : 3}" fill="${k === iterate ? BLUE : GREY}"/>`).join("")}`,
    `${words}, from ${number(values[0])} to ${number(values[this.steps])} in ${this.steps} steps`, width, height), true);
  }

  spoken() {
    const { step, shown } = this.place(), iterate = step + (shown === 4);
    return `${this.words()}. Read as ${read(this.data.decoded[iterate], this.data.names)}.`;
  }
}
