// The slider of ε: everything that an attack found at each ε is sent once, and dragging only selects what is shown.

/** The index of the nearest value. */
function nearest(values, to) {
  const away = values.map((value) => Math.abs(value - to));
  return away.indexOf(Math.min(...away));
}

class Scene {
  constructor(root) {
    this.root = root;
    this.dragging = false;
    this.onEps = () => {};   // ε at rest, for whoever keeps it
    this.onFiner = () => {}; // the wish for more stops
    this.show = onFrame(() => this.draw());
    this.settle = quietly(root, () => { if (!this.dragging) this.send(); }, 500);
    this.wish = quietly(root, () => { if (this.data.finer === this.wished) this.onFiner(this.wished); }, 300);
    this.speak = quiet(() => { this.part("live").textContent = this.spoken(); }, 500);
    new ResizeObserver(() => { if (sizeOf(this.root) !== this.width) this.show(); }).observe(root);
  }

  part(name) { return this.parts.get(name); }

  send() {
    const eps = this.data.track[this.place];
    if (eps === this.told) return;
    this.told = eps;
    this.awaited = performance.now() + 5000; // an answer to something older is on its way, perhaps
    this.onEps(eps);
  }

  /** New data; ε stays where the visitor left it, unless it was changed elsewhere. */
  update(data) {
    if (this.dragging) { this.later = data; return; }
    const first = !this.data, old = first ? data.eps : this.data.track[this.place];
    if (data.eps === this.told) this.awaited = 0;
    const asked = first || (data.eps !== this.told && performance.now() > (this.awaited || 0));
    if (asked) this.told = data.eps;
    const fresh = first || data.id !== this.data.id;
    const { eps, finer, ask, pinned, former } = data;
    this.data = fresh ? data : { ...this.data, eps, finer, ask, pinned, former };
    if (fresh) this.build();
    this.part("ask").hidden = !data.ask;
    write(this.part("ask"), `Compute other ε too: ${data.ask}`);
    this.root.classList.toggle("tl-old", Boolean(data.former)); // it belongs to settings that have been changed
    this.part("former").hidden = !data.former;
    this.part("ask").onclick = () => this.onFiner(data.finer);
    this.move(nearest(this.data.track, asked ? data.eps : old), false);
    this.draw();
    if (data.finer && !data.ask && this.wished !== data.finer) {
      this.wished = data.finer;  // not for an image that is only passed on the way to another
      this.wish();
    }
  }

  /** Go to a position of the slider; with `byHand`, show the nearest stop, and report ε once the visitor pauses. */
  move(place, byHand) {
    const { track, stops, numbers } = this.data, slider = this.part("eps");
    this.place = place;
    this.at = nearest(stops, track[place]);
    if (Number(slider.value) !== place) slider.value = String(place);
    slider.setAttribute("aria-valuetext", `ε = ${numbers[this.at]}`);
    if (byHand) { this.show(); this.settle(); this.speak(); }
  }

  build() {
    const data = this.data;
    const focused = this.root.getRootNode().activeElement?.dataset?.part === "eps";
    data.aims.forEach((aim) => aim.cells.forEach((cell) => {
      if (!cell.refused) cell.pixels = signed(cell.changes);
    }));
    this.clean = bytes(data.clean);
    this.root.innerHTML = `
      <p class="tl-former" data-part="former" role="status" hidden>Out of date: this belongs to the previous settings. The new result is being computed.</p>
      <div class="tl-top">
        <figure class="tl-clean"><canvas data-part="clean" role="img" aria-label="clean image of ${esc(an(data.name))}"></canvas>
          <figcaption>clean, ${an(data.name).split(" ")[0]} <b>${esc(data.name)}</b></figcaption></figure>
        <div class="tl-words">${data.title ? `<h1>${esc(data.title)}</h1>` : ""}<p class="tl-lead lab-lead" data-part="lead"></p>
          <p class="tl-key"><span>○ before</span><span><i class="tl-blue">◆</i> after, on the label's side</span>
          <span><i class="tl-orange">✖</i> after, on the wrong side</span><span>▨ None: no class at all</span>
          <span>blue background: where the label is read</span><span>▲ the true label</span></p></div>
      </div>
      <div class="tl-bar${data.end.includes("/") ? " tl-levels" : ""}"><label><span class="tl-eps" data-part="epsword"></span>
        <input type="range" data-part="eps" data-stops="${data.stops.length}" min="0" max="${data.track.length - 1}" step="1" aria-label="ε, the size of the change, dragged live"></label>
        <span class="tl-ends"><span>0</span><span>${data.norm === "l2" ? "length of the whole change (l2)" : "how much any pixel may change"}</span><span>${data.end}</span></span>
        <button type="button" data-part="ask" hidden>Compute other values of ε</button>
      </div>
      <div data-part="pinned"></div>
      ${data.aims.map((aim, row) => `
        <div class="tl-aim"><h2>Aimed at ${esc(aim.title)}</h2><p>${esc(aim.note)}</p></div>
        <p class="tl-badge" data-part="badge${row}"></p>
        <div class="tl-row">${aim.cells.map((cell, column) => this.cellHtml(cell, row, column)).join("")}</div>`).join("")}
      ${Object.keys(data.notes).length ? `<details class="tl-notes"><summary>How to read this</summary><dl>${Object.entries(data.notes).map(
        ([name, words]) => `<dt>${esc(name)}</dt><dd>${esc(words)}</dd>`).join("")}</dl></details>` : ""}
      <p class="tl-unseen" aria-live="polite" data-part="live"></p>`;
    this.parts = new Map([...this.root.querySelectorAll("[data-part]")].map((element) => [element.dataset.part, element]));
    this.width = 0;
    paint(this.part("clean"), data.shape, (i) => this.clean[i]);
    const slider = this.part("eps");
    slider.oninput = () => this.move(Number(slider.value), true);
    slider.onpointerdown = () => { this.dragging = true; };
    slider.onchange = () => {
      this.dragging = false;
      this.settle();
      const later = this.later;
      this.later = null;
      if (later) this.update(later);
    };
    slider.onblur = () => this.settle.now();
    keepKeys(slider);
    if (focused) slider.focus();
  }

  cellHtml(cell, row, column) {
    const of = `${row}-${column}`, head = `<h3>${esc(cell.title)}</h3><p class="tl-kind">${esc(cell.kind ?? "")}</p>`;
    if (cell.refused) return `<article class="tl-cell">${head}<p class="tl-note">${esc(cell.refused)}</p></article>`;
    return `<article class="tl-cell">${head}
      <div class="tl-pair">
        <figure><canvas role="img" data-part="change${of}"></canvas><figcaption data-part="k${of}"></figcaption></figure>
        <figure><canvas role="img" data-part="after${of}"></canvas><figcaption>attacked</figcaption></figure>
      </div>
      <div class="tl-read"><span data-part="chip${of}"></span><span data-part="was${of}"></span></div>
      <div class="tl-chart" data-part="chart${of}"></div>
      <p class="tl-margin" data-part="margin${of}"></p>
      <p class="tl-note" data-part="note${of}" ${this.noted(cell) ? "" : "hidden"}></p></article>`;
  }

  draw() {
    const data = this.data, at = this.at;
    if (this.width !== sizeOf(this.root)) {
      this.width = sizeOf(this.root);
      this.widths = new Map([...this.root.querySelectorAll(".tl-chart")].map((holder) => [holder, chartWidth(holder)]));
    }
    write(this.part("epsword"), `ε = ${data.end.includes("/") ? data.said[at] : data.stops[at].toFixed(2)}`);
    write(this.part("lead"), this.headline(), true);
    data.aims.forEach((aim, row) => {
      const shown = aim.cells.filter((cell) => !cell.refused), zero = shown.filter((cell) => cell.zero[at]).length;
      write(this.part(`badge${row}`), `n = 1 image · aimed at ${aim.title} · ${data.how} · ε = ${data.numbers[at]}${zero ? ` · gradient exactly 0 in ${zero} of ${shown.length}` : ""}`);
      aim.cells.forEach((cell, column) => { if (!cell.refused) this.drawCell(cell, `${row}-${column}`); });
    });
    this.drawPinned();
  }

  drawCell(cell, of) {
    const data = this.data, at = this.at, label = data.label, size = this.clean.length;
    const unit = cell.peak[at] / 127, from = at * size, k = cell.k[at];
    const change = this.part(`change${of}`), after = this.part(`after${of}`);
    paint(change, data.shape, (i) => 127.5 + 255 * k * unit * cell.pixels[from + i]);
    paint(after, data.shape, (i) => this.clean[i] + 255 * unit * cell.pixels[from + i]);
    const words = cell.unmoved[at] ? "no change" : `change × ${exact(k)}`, answer = read(cell.decoded[at], data.names);
    change.setAttribute("aria-label", `${words}: grey is unchanged, bright is lighter, dark is darker`);
    after.setAttribute("aria-label", `attacked image, read as ${answer}`);
    write(this.part(`k${of}`), words);
    write(this.part(`chip${of}`), chip(cell.decoded[at], label, data.names), true);
    const was = outcome(cell.before.decoded, label);
    write(this.part(`was${of}`), `before: ${read(cell.before.decoded, data.names)}` +
      (was === "correct" ? "" : `, already ${LOOKS[was].word}`));
    const view = { before: cell.before.outputs, beforeDecoded: cell.before.decoded, now: cell.outputs[at], decoded: cell.decoded[at], label };
    const holder = this.part(`chart${of}`);
    drawOutputs(holder, cell.chart, view, this.widths.get(holder));
    write(this.part(`margin${of}`), `margin of ${esc(data.name)}: <b>${number(cell.before.margin)} → ${number(cell.margins[at])}</b>`, true);
    const note = this.note(cell), shown = this.part(`note${of}`);
    shown.style.visibility = note ? "visible" : "hidden"; // its room is kept, so that a drag moves nothing below
    if (note) write(shown, note, true);
  }

  /** Whether a cell has a note at any stop. */
  noted(cell) {
    return this.data.stops.some((stop, at) => this.note(cell, at) !== "");
  }

  /** The reason why nothing happened, if nothing happened. */
  note(cell, at = this.at) {
    if (this.data.stops[at] === 0) return "";
    if (cell.zero[at]) {
      return "<b>Gradient exactly zero:</b> the attack had nothing to follow; " +
        (cell.unmoved[at] ? "the image came back unchanged." : "only the random start changed the image.");
    }
    return cell.unmoved[at]
      ? "<b>Unmoved.</b> No step brought the attack nearer to success, so the image is as it was." : "";
  }

  headline() {
    const found = [];
    let spoiled = false, any = false;
    for (const aim of this.data.aims) {
      const shown = aim.cells.filter((cell) => !cell.refused);
      const right = shown.filter((cell) => cell.before.decoded === this.data.label);
      any ||= shown.length > 0;
      spoiled ||= right.length < shown.length;
      const broken = right.filter((cell) => cell.fooled[this.at]).length;
      if (right.length) found.push(`Aimed at ${esc(aim.title)}, the attack breaks <b>${broken} of ${right.length}</b>.`);
    }
    if (!any) return "This attack cannot be made as asked; each system says why.";
    if (!found.length) return "No system reads this image correctly, even before an attack. Try another one.";
    if (spoiled) found.push("Systems that misclassified the image before the attack are not counted.");
    return found.join(" ");
  }

  /** What a screen reader says once the visitor pauses. */
  spoken() {
    const rows = this.data.aims.map((aim) => `Aimed at ${aim.title}: ` + aim.cells.filter((cell) => !cell.refused)
      .map((cell) => `${cell.title} reads ${read(cell.decoded[this.at], this.data.names)}`).join(", "));
    return `ε = ${this.data.numbers[this.at]}. ${rows.join(". ")}.`;
  }

  /** Compare A, the pinned state, with B, the current one. */
  drawPinned() {
    const holder = this.part("pinned"), pinned = this.data.pinned;
    if (!pinned) { write(holder, "", true); return; }
    const answer = (names, decoded, label, margin) => `${chip(decoded, label, names)} <span>margin ${number(margin)}</span>`;
    const live = (row) => { // the same system under the same aim, or else under those aims that there are
      const found = this.data.aims.flatMap((aim) => aim.cells.filter((cell) => cell.key === row.system && !cell.refused)
        .map((cell) => ({ aim, cell })));
      const same = found.filter(({ aim }) => aim.key === row.aim);
      return (same.length ? same : found).map(({ aim, cell }) => (same.length ? "" : `${esc(aim.title)}: `) +
        answer(this.data.names, cell.decoded[this.at], this.data.label, cell.margins[this.at])).join("<br>") || "not shown";
    };
    write(holder, `<table class="tl-pinned"><caption>A, pinned: ${esc(pinned.words)}. B: what is shown below.</caption>
      <thead><tr><th scope="col">System, aim</th><th scope="col">A</th><th scope="col">B, ε = ${this.data.said[this.at]}</th></tr></thead>
      <tbody>${pinned.rows.map((row) => `<tr><th scope="row">${esc(row.title)}</th>
        <td>${answer(pinned.names, row.decoded, row.label, row.margin)}</td><td>${live(row)}</td></tr>`).join("")}</tbody></table>`, true);
  }
}
