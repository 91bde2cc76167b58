// The plane around one image: a point moves through the plane, cell by cell; all outputs and directions are sent once.

const BOX = 1000; // units of the drawing along each side of the plane

const floats = (base64) => new Float32Array(bytes(base64).buffer);

class Ground {
  constructor(root) {
    this.root = root;
    this.dragging = false;
    this.onFiner = () => {}; // the wish for more cells
    this.show = onFrame(() => this.draw());
    this.wish = quietly(root, () => { if (this.data.finer === this.wished) this.onFiner(this.wished); }, 300);
    this.speak = quiet(() => { this.part("live").textContent = this.spoken(); }, 500);
    new ResizeObserver(() => { if (this.data && this.width !== sizeOf(this.root)) this.show(); }).observe(root);
  }

  part(name) { return this.parts.get(name); }

  /** New data; the point stays where the visitor left it, unless the plane is another one. */
  update(data) {
    if (this.dragging) { this.later = data; return; }
    const old = this.data, same = old && old.clean === data.clean && old.directions === data.directions;
    const [x, y] = same ? this.position() : [0.5, 0.5];
    const fresh = !old || old.id !== data.id;
    this.data = fresh ? data : { ...old, finer: data.finer, ask: data.ask };
    if (fresh) this.build();
    this.part("ask").hidden = !data.ask;
    this.part("ask").onclick = () => this.onFiner(data.finer);
    this.moveTo(x, y, false);
    this.draw();
    if (data.finer && !data.ask && this.wished !== data.finer) {
      this.wished = data.finer; // not for an image that is only passed on the way to another
      this.wish();
    }
  }

  /** Where the point is, from 0 to 1 to the right and upwards: the middle of its cell. */
  position() {
    return [(this.column + 0.5) / this.data.side, (this.row + 0.5) / this.data.side];
  }

  /** Go to the cell at a position; with `byHand`, screen readers are told what is read there once the visitor pauses. */
  moveTo(x, y, byHand = true) {
    const side = this.data.side, cell = (at) => Math.min(side - 1, Math.max(0, Math.floor(at * side)));
    this.column = cell(x);
    this.row = cell(y);
    const point = this.part("point"), [right, up] = this.position();
    point.style.left = `${100 * right}%`;
    point.style.top = `${100 * (1 - up)}%`;
    point.setAttribute("aria-valuenow", String(this.column));
    point.setAttribute("aria-valuetext", this.place());
    this.show();
    if (byHand) this.speak();
  }

  /** Move by this many cells. */
  step(columns, rows) {
    const side = this.data.side;
    this.moveTo((this.column + columns + 0.5) / side, (this.row + rows + 0.5) / side);
  }

  build() {
    const data = this.data, focused = this.root.getRootNode().activeElement?.dataset?.part === "point";
    for (const name of ["outputs", "loss", "margin", "change", "directions"]) this[name] = floats(data[name]);
    this.clean = bytes(data.clean);
    this.middle = (data.side - 1) / 2;
    const ends = data.paths.filter((path) => path.moved), [right, up] = data.ways;
    this.root.innerHTML = `
      <div class="tl-ground">
        <div class="tl-story">${data.heading ? `<h1>${esc(data.heading)}</h1>` : ""}
          <p class="tl-lead lab-lead">${data.title ? `<b>${esc(data.title)}.</b> ` : ""}${esc(data.lead.join(" "))}</p></div>
        <div class="tl-plane" data-part="plane">
          <svg role="img" aria-label="${esc(data.description)}" viewBox="0 0 ${BOX} ${BOX}">${this.drawing()}</svg>
          <div class="tl-point" data-part="point" role="slider" tabindex="0" aria-valuemin="0" aria-valuemax="${data.side - 1}"
            aria-label="The point in the plane. The arrow keys move it in all four directions, Home goes back to the image."></div>
        </div>
        <div class="tl-there">
          <div class="tl-at-point"><figure><canvas role="img" data-part="image"></canvas></figure>
            <div><span data-part="chip"></span><p data-part="size"></p><p data-part="slope"></p><p data-part="margins"></p></div></div>
          <div class="tl-chart" data-part="chart"></div>
          <div class="tl-jumps"><span>Go to</span><button type="button" data-part="home">the image</button>
            ${ends.map((path, k) => `<button type="button" data-part="end${k}" aria-label="the end of ${esc(path.way)}">end, ${esc(path.aim)}</button>`).join("")}
            <button type="button" data-part="ask" hidden>Compute more places</button></div>
        </div>
        <p class="tl-key"><span>● full colour: the training loss is exactly flat</span><span>▲ faint colour: it rises this way</span>
          <span>▨ None: no class at all</span><span>┄ as far as ε = ${esc(data.eps_said)} lets an attack go</span>
          ${data.paths.map((path) => `<span>${path.objective === "train" ? "┅" : "━"} ${esc(path.way)}</span>`).join("")}
          <span>→ ${esc(right)}</span><span>↑ ${esc(up)}</span><span>${esc(data.how)}</span></p>
        <details class="tl-notes"><summary>In words</summary><p>${esc(data.description)}</p></details>
      </div>
      <p class="tl-unseen" aria-live="polite" data-part="live"></p>`;
    this.parts = new Map([...this.root.querySelectorAll("[data-part]")].map((element) => [element.dataset.part, element]));
    this.width = 0;
    this.part("home").onclick = () => this.moveTo(0.5, 0.5);
    ends.forEach((path, k) => { this.part(`end${k}`).onclick = () => this.moveTo(...path.points[path.points.length - 1]); });
    this.listen();
    if (focused) this.part("point").focus();
  }

  listen() {
    const plane = this.part("plane"), point = this.part("point");
    const here = (event) => {
      const box = plane.getBoundingClientRect();
      this.moveTo((event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height);
    };
    plane.onpointerdown = (event) => {
      if (event.button || (event.pointerType === "touch" && event.target !== point)) return; // there a finger scrolls
      this.dragging = true;
      plane.setPointerCapture(event.pointerId);
      here(event);
      point.focus({ preventScroll: true });
      event.preventDefault();
    };
    plane.onpointermove = (event) => { if (this.dragging) here(event); };
    plane.onpointerup = plane.onpointercancel = () => this.release();
    plane.onclick = (event) => { if (event.target !== point) here(event); }; // a tap
    point.onkeydown = (event) => {
      const far = event.shiftKey ? 5 : 1;
      const ways = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowDown: [0, -far], ArrowUp: [0, far], PageDown: [0, -5], PageUp: [0, 5] };
      if (ways[event.key]) this.step(...ways[event.key]);
      else if (event.key === "Home") this.moveTo(0.5, 0.5);
      else return;
      event.preventDefault();
    };
    keepKeys(point);
  }

  release() {
    this.dragging = false;
    const later = this.later;
    this.later = null;
    if (later) this.update(later);
  }

  /** The plane: regions, arrows and dots, the ε-ball, the attacks, and what is read where. */
  drawing() {
    const data = this.data, at = ([x, y]) => [BOX * x, BOX * (1 - y)];
    const line = (points) => points.map((point) => at(point).map((v) => v.toFixed(1)).join(" ")).join(" L");
    const taken = [], parts = [`<image href="${data.picture}" width="${BOX}" height="${BOX}" preserveAspectRatio="none"/>`];
    for (const [x, y, angle, zero, colour] of data.arrows) {
      const [a, b] = at([x, y]);
      parts.push(zero ? `<circle cx="${a}" cy="${b}" r="5" fill="${data.paper}"/>`
        : `<path d="M0 -11L8 9L0 4L-8 9Z" fill="${colour}" transform="translate(${a} ${b}) rotate(${angle})"/>`);
    }
    parts.push(`<path d="M${line(data.outline)}Z" fill="none" stroke="${data.paper}" stroke-width="7"/>`,
      `<path d="M${line(data.outline)}Z" fill="none" stroke="${data.ink}" stroke-width="4" stroke-dasharray="14 10"/>`);
    for (const [x, y, name, colour] of data.words) {
      const wide = 40 + 22 * name.length, [a, b] = at([x, y]), left = Math.min(Math.max(a - wide / 2, 0), BOX - wide);
      if (taken.some(([x0, x1, y0]) => left < x1 && x0 < left + wide && Math.abs(b - y0) < 56)) continue; // a smaller region
      taken.push([left, left + wide, b]);
      parts.push(`<rect x="${left}" y="${b - 28}" width="${wide}" height="56" rx="6" fill="#ffffffd9" stroke="${colour || GREY}" stroke-width="4"/>`,
        `<text x="${left + wide / 2}" y="${b + 13}" text-anchor="middle" style="fill: ${data.ink}">${esc(name)}</text>`);
    }
    for (const { points, objective, moved } of data.paths) {
      if (!moved) continue;
      parts.push(`<path d="M${line(points)}" fill="none" stroke="${data.ink}" stroke-width="15" stroke-linejoin="round"/>`,
        `<path d="M${line(points)}" fill="none" stroke="${data.paper}" stroke-width="7" stroke-dasharray="${objective === "train" ? "8 10" : ""}"/>`,
        ...points.map((point) => at(point)).map(([a, b]) => `<circle cx="${a}" cy="${b}" r="8" fill="${data.paper}" stroke="${data.ink}" stroke-width="3"/>`));
    }
    for (const { points, end } of [...data.paths].reverse()) {
      const [a, b] = at(points[points.length - 1]), look = LOOKS[outcome(end, data.label)];
      parts.push(`<circle cx="${a}" cy="${b}" r="29" fill="${data.paper}" stroke="${data.ink}" stroke-width="4"/>`, marker(look.symbol, a, b, 32, look.colour));
    }
    return parts.join("");
  }

  /** The number of the point's cell. */
  get at() { return this.row * this.data.side + this.column; }

  rowOf(values, width, k = this.at) { return Array.from(values.subarray(k * width, (k + 1) * width)); }

  draw() {
    const data = this.data, at = this.at, size = this.clean.length, [x, y] = this.position().map((v) => 2 * v - 1);
    if (this.width !== sizeOf(this.root)) {
      this.width = sizeOf(this.root);
      this.chartWidth = chartWidth(this.part("chart"));
    }
    const wide = this.outputs.length / data.side ** 2, start = this.middle * data.side + this.middle;
    paint(this.part("image"), data.shape, (i) => this.clean[i] + x * this.directions[i] + y * this.directions[size + i]);
    this.part("image").setAttribute("aria-label", `the image at this point, read as ${read(data.decoded[at], data.names)}`);
    write(this.part("chip"), chip(data.decoded[at], data.label, data.names), true);
    write(this.part("size"), this.sizeWords(), true);
    write(this.part("slope"), this.slopeWords(), true);
    write(this.part("margins"), `margin of ${esc(data.names[data.label])}: <b>${number(this.margin[at])}</b>`, true);
    const view = { before: this.rowOf(this.outputs, wide, start), beforeDecoded: data.decoded[start],
      now: this.rowOf(this.outputs, wide), decoded: data.decoded[at], label: data.label };
    drawOutputs(this.part("chart"), data.chart, view, this.chartWidth);
  }

  sizeWords() {
    const data = this.data, change = this.change[this.at], inside = change <= data.eps * 1.0001;
    const words = data.norm === "l2" ? `change of length <b>${exact(change)}</b>` : `no pixel changes by more than <b>${exact(change)}</b>`;
    return `${words}, ${inside ? "within" : "beyond"} ε = ${esc(data.eps_said)}`;
  }

  slopeWords() {
    const loss = `training loss <b>${number(this.loss[this.at])}</b>`;
    return this.data.flat[this.at] ? `${loss}, <b>exactly flat</b>: an attack on it stays here` : `${loss}, with a gradient to follow`;
  }

  /** Where the point is, in cells from the image. */
  place() {
    const right = this.column - this.middle, up = this.row - this.middle;
    if (!right && !up) return "at the image";
    const words = [right && `${Math.abs(right)} to the ${right > 0 ? "right" : "left"}`, up && `${Math.abs(up)} ${up > 0 ? "up" : "down"}`];
    return `${words.filter(Boolean).join(", ")} from the image`;
  }

  /** What a screen reader says once the visitor pauses. */
  spoken() {
    const plain = (html) => html.replace(/<[^>]*>/g, "");
    return `Read as ${read(this.data.decoded[this.at], this.data.names)}. ${plain(this.sizeWords())}; ${plain(this.slopeWords())}.`;
  }
}
