// A map of points that moves: it forms, its points follow an attack step by step, a lasso picks some of them.
// Python sends places as 16-bit integers in units of 1/10,000 of the window; what is picked or opened is sent back.

const UNIT = 10000;
const STAR = [...Array(10).keys()].map((k) => [k * 36 - 90, k % 2 ? 0.5 : 1.2]);
const ring = (n, turn, size = 1) => [...Array(n).keys()].map((k) => [turn + k * 360 / n, size]);
const SHAPES = {
  circle: ring(16, 0), square: ring(4, 45, 1.2), diamond: ring(4, 0, 1.2), "triangle-up": ring(3, -90, 1.2),
  "triangle-down": ring(3, 90, 1.2), star: STAR, hexagon: ring(6, 0, 1.1), pentagon: ring(5, -90, 1.1),
  hourglass: [[-135, 1.2], [-45, 1.2], [135, 1.2], [45, 1.2]],
};

function places(base64) {
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return Float32Array.from(new Int16Array(bytes.buffer), (v) => v / UNIT);
}

class LivingMap {
  constructor(root) {
    this.root = root;
    this.canvas = root.querySelector("canvas");
    this.pen = this.canvas.getContext("2d");
    this.tip = root.querySelector(".tip");
    this.thumb = root.querySelector(".thumb");
    this.at = null;  // index of the point that is pointed at, or that the keys have reached
    this.play = root.querySelector(".play");
    this.slider = root.querySelector(".steps input");
    this.calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.data = null;
    this.step = 0;
    this.lasso = null;
    this.picked = new Set();
    this.play.onclick = () => this.replay();
    this.go = root.querySelector(".go");
    this.go.onclick = () => this.walk();
    this.slider.oninput = () => { this.halt(); this.goto(Number(this.slider.value)); };
    this.slider.onkeydown = (event) => event.stopPropagation();
    this.choice = root.querySelector(".choose");
    this.choice.onchange = () => this.choose(this.choice.value);
    this.paint = root.querySelector(".paint");
    this.paint.onchange = () => this.ask();
    for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel", "pointerleave"]) {
      this.canvas.addEventListener(name, (event) => this[name](event));
    }
    this.canvas.onkeydown = (event) => this.keydown(event);
    this.canvas.onfocus = () => {
      if (this.canvas.matches(":focus-visible") && this.ready) this.pointAt(this.at ?? this.middle(), true);
    };
    this.canvas.onblur = () => this.pointAt(null);
    new ResizeObserver(() => this.ask()).observe(root);
  }

  update(data) {
    const old = this.data, same = old && old.rows.join() === data.rows.join();
    const from = same && this.now ? this.now : null, reach = this.reach ?? data.reach;
    this.data = data;
    this.home = places(data.home);
    this.frames = (data.frames ?? []).map(places);
    this.steps = (data.steps?.places ?? []).map(places);
    this.stops = data.stops ? places(data.stops.places) : null;
    this.where = new Map(data.rows.map((row, i) => [row, i]));
    const last = this.steps.length - 1;
    if (!old || old.stepsId !== data.stepsId) this.step = Math.max(0, last);
    this.step = Math.min(this.step, Math.max(0, last));
    if (!same) this.picked = new Set();
    if (!same) this.at = null;
    if (JSON.stringify(old?.classes) !== JSON.stringify(data.classes)) {
      this.choice.replaceChildren(...["pick a class …", ...data.classes].map((word, k) => {
        const option = document.createElement("option");
        option.value = k ? String(k - 1) : "";
        option.textContent = word;
        return option;
      }));
    }
    this.canvas.style.height = `max(360px, min(${data.height}px, 118vw, 100vh - 23rem))`;
    this.canvas.setAttribute("aria-label", data.alt);
    this.root.querySelector(".steps").hidden = this.go.hidden = last < 1;
    this.choice.hidden = this.paint.hidden = Boolean(data.forming);
    this.play.hidden = this.frames.length < 2;
    this.slider.max = String(Math.max(0, last));
    this.tell();
    if (this.animation?.kind === "replay" && same && !data.forming && old?.map === data.map) return;
    this.halt();
    if (same && old.forming && !data.forming && old.map === data.map && this.frames.length > old.frame + 1) {
      this.replay(old.frame);  // what there was no look at in time
      return;
    }
    this.tween(from ?? this.target(), this.target(), from ? 700 : 0, reach);
  }

  /** Where all points belong at the present step of the attack. */
  target(step = this.step) {
    const at = Float32Array.from(this.home);
    const moved = this.steps[step];
    if (moved) this.data.steps.rows.forEach((row, i) => {
      const k = this.where.get(row);
      at[2 * k] = moved[2 * i];
      at[2 * k + 1] = moved[2 * i + 1];
    });
    return at;
  }

  /** What point i is read as now. */
  read(i) {
    const steps = this.data.steps;
    if (steps) {
      this.order ??= new Map();
      if (this.order.id !== this.data.stepsId) {
        this.order = new Map(steps.rows.map((row, k) => [row, k]));
        this.order.id = this.data.stepsId;
      }
      const k = this.order.get(this.data.rows[i]);
      if (k !== undefined) return steps.decoded[this.step][k];
    }
    return this.data.decoded[i];
  }

  goto(step) {
    this.step = step;
    this.tell();
    this.tween(this.now, this.target(), 220, this.reach);
  }

  /** Let the attack take its steps, one after the other. */
  walk() {
    this.halt();
    let step = 0;
    const on = () => {
      this.goto(step);
      if (step++ < this.steps.length - 1) this.timer = setTimeout(on, this.calm ? 700 : 420);
      else this.timer = 0;
    };
    on();
  }

  /** From the first frame to the last, then to where the points are. */
  replay(first = 0) {
    this.halt();
    const frames = this.frames.slice(first), begun = performance.now(), long = this.calm ? 0 : 130 * frames.length;
    this.reach = this.data.reach;
    this.animation = { kind: "replay" };
    this.root.dataset.phase = "forming";
    const turn = (now) => {
      const part = long ? (now - begun) / long * (frames.length - 1) : frames.length;
      if (part >= frames.length - 1) {
        this.animation = null;
        this.tween(frames[frames.length - 1], this.target(), 400, this.reach);
        return;
      }
      const k = Math.max(0, Math.floor(part));
      this.now = this.between(frames[k], frames[k + 1], Math.max(0, part - k));
      this.draw();
      this.animation.id = requestAnimationFrame(turn);
    };
    this.animation.id = requestAnimationFrame(turn);
  }

  tween(from, to, long, reach) {
    cancelAnimationFrame(this.animation?.id);
    const begun = performance.now(), wanted = this.data.reach;
    this.animation = { kind: "tween" };
    if (this.calm || !long || from.length !== to.length) long = 0;
    const turn = (now) => {
      const part = long ? Math.min(1, Math.max(0, (now - begun) / long)) : 1, ease = part * part * (3 - 2 * part);
      this.now = part < 1 ? this.between(from, to, ease) : to;
      this.reach = reach.map((v, axis) => v + (wanted[axis] - v) * ease);
      this.draw();
      if (part < 1) this.animation.id = requestAnimationFrame(turn);
      else {
        this.animation = null;
        this.root.dataset.phase = this.data.forming ? "forming" : "still";
      }
    };
    turn(begun);
  }

  between(from, to, part) {
    return from.map((v, i) => v + (to[i] - v) * part);
  }

  halt() {
    clearTimeout(this.timer);
    this.timer = 0;
    cancelAnimationFrame(this.animation?.id);
    this.animation = null;
  }

  tell() {
    const { steps, said } = this.data, last = this.steps.length - 1;
    this.slider.value = String(this.step);
    const word = !steps ? "" : this.step === 0 ? "clean" : String(steps.numbers[this.step]);
    this.root.querySelector("output").textContent = word;
    this.slider.setAttribute("aria-valuetext", word);
    let words = said;
    if (last > 0) {
      const counts = [0, 0, 0], label = new Map(this.data.rows.map((row, i) => [row, this.data.labels[i]]));
      steps.rows.forEach((row, k) => {
        const d = steps.decoded[this.step][k];
        counts[d < 0 ? 2 : d === label.get(row) ? 0 : 1] += 1;
      });
      words += ` · ${steps.rows.length} attacked: ${this.data.looks.map((look, k) => `${look.sign} ${counts[k]} ${look.word}`).join(", ")}`;
    }
    this.root.querySelector(".said").textContent = words;
    Object.assign(this.root.dataset, { step: String(this.step), picked: String(this.picked.size) });
  }

  ask() {
    this.asked ||= requestAnimationFrame(() => { this.asked = 0; if (this.now) this.draw(); });
  }

  /** Pixels of place (x, y); a line fills the width, a plane keeps its proportions. */
  spot(x, y) {
    const { clientWidth: w, clientHeight: h } = this.canvas, [across, up] = this.reach;
    const unit = Math.min(w / 2 / across, (h / 2 - 12) / up);
    return this.data.bands ? [w / 2 * (1 + x / across), h / 2 - y * h / 2.3] : [w / 2 + x * unit, h / 2 - y * unit];
  }

  /** Pixels of a row's point, from the page's corner: for those who drive the page. */
  pixels(row) {
    const i = this.where.get(row), box = this.canvas.getBoundingClientRect();
    const [x, y] = this.spot(this.now[2 * i], this.now[2 * i + 1]);
    return [box.left + x, box.top + y];
  }

  draw() {
    const { canvas, pen, data } = this, ratio = devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
    if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
      canvas.width = Math.round(w * ratio);
      canvas.height = Math.round(h * ratio);
    }
    const style = getComputedStyle(this.root);
    this.big = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;  // it grows with the page's type
    this.ink = style.color;
    this.ground = style.getPropertyValue("--st-background-color") || "#ffffff";
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, w, h);
    if (data.bands) this.bands(h);
    const away = this.steps.length > 1 && this.step > 0, many = data.rows.length, plain = this.paint.value === "outcome";
    const attacked = this.steps.length ? new Set(data.steps.rows) : null;
    for (let i = 0; i < many; i++) {  // those that stay are dots; those that an attack moved leave a dot behind
      const alone = attacked && away && !attacked.has(data.rows[i]);
      if (away) this.dot(this.spot(this.home[2 * i], this.home[2 * i + 1]), plain ? "#8a8a8a" : data.colours[data.labels[i]], 1.6 * this.big, 0.35);
      if (!alone) this.point(i);
    }
    if (data.names) this.names(away && this.animation?.kind !== "replay" ? this.home : this.now);
    if (this.stops && this.animation?.kind !== "replay" && !data.forming) this.way();
    if (this.lasso) this.loop();
    this.show();
  }

  bands(h) {
    const { pen, data, big } = this;
    pen.textAlign = "center";
    pen.textBaseline = "bottom";
    pen.font = `600 ${15 * big}px sans-serif`;
    const tight = data.bands.some(([low, high, k]) =>
      pen.measureText(data.classes[k]).width > this.spot(high, 0)[0] - this.spot(low, 0)[0] + 8);
    for (const [low, high, k] of data.bands) {
      const [x0] = this.spot(low, 0), [x1] = this.spot(high, 0);
      pen.globalAlpha = 0.16;
      pen.fillStyle = data.colours[k];
      pen.fillRect(x0, 0, x1 - x0, h);
      pen.globalAlpha = 1;
      pen.fillStyle = this.ink;
      pen.fillText(data.classes[k], (x0 + x1) / 2, h - 4 - (tight ? 17 * big * (k % 3) : 0)); // names without room take turns in height
    }
  }

  dot([x, y], colour, size, alpha) {
    const { pen } = this;
    pen.globalAlpha = alpha;
    pen.fillStyle = colour;
    pen.fillRect(x - size, y - size, 2 * size, 2 * size);
    pen.globalAlpha = 1;
  }

  point(i) {
    const { pen, data, big } = this, label = data.labels[i], [x, y] = this.spot(this.now[2 * i], this.now[2 * i + 1]);
    pen.globalAlpha = !this.picked.size || this.picked.has(data.rows[i]) ? 0.95 : 0.18;
    if (this.paint.value === "outcome") {
      const look = data.looks[this.kind(this.read(i), label)];
      this.mark(x, y, look.symbol, look.colour, 5.5 * big);
    } else if (data.classes[label].length === 1) {
      pen.fillStyle = data.colours[label];
      pen.font = `700 ${13 * big}px sans-serif`;
      pen.textAlign = "center";
      pen.textBaseline = "middle";
      pen.fillText(data.classes[label], x, y);
    } else this.mark(x, y, data.symbols[label], data.colours[label], 5 * big);
    pen.globalAlpha = 1;
  }

  kind(decoded, label) {
    return decoded < 0 ? 2 : decoded === label ? 0 : 1;
  }

  mark(x, y, symbol, colour, size) {
    const { pen } = this, open = symbol.endsWith("-open"), cross = /^(x|cross)$/.test(symbol) || symbol.startsWith("square-x");
    pen.strokeStyle = pen.fillStyle = colour;
    pen.lineWidth = size / 2.2;
    const corners = SHAPES[symbol] ?? (symbol.startsWith("square") ? SHAPES.square : null);
    if (corners) {
      pen.beginPath();
      for (const [turn, far] of corners) {
        pen.lineTo(x + size * far * Math.cos(turn * Math.PI / 180), y + size * far * Math.sin(turn * Math.PI / 180));
      }
      pen.closePath();
      if (open) { pen.lineWidth = 1.5; pen.stroke(); } else pen.fill();
    }
    if (!cross) return;
    const d = symbol === "cross" ? 0 : size * 0.8, e = symbol === "cross" ? size : size * 0.8;
    pen.beginPath();
    pen.moveTo(x - e, y - d); pen.lineTo(x + e, y + d);
    pen.moveTo(x - d, y + e); pen.lineTo(x + d, y - e);
    pen.stroke();
  }

  halo(text, x, y, size, colour) {
    const { pen } = this;
    pen.font = `800 ${size}px sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    pen.lineWidth = 5;
    pen.strokeStyle = this.ground;
    pen.strokeText(text, x, y);
    pen.fillStyle = colour;
    pen.fillText(text, x, y);
  }

  /** Each class's name above its points, which are at these places; under an attack, where they were before it. */
  names(places) {
    const { data, big } = this, at = new Map();
    data.labels.forEach((label, i) => {
      if (!at.has(label)) at.set(label, [[], []]);
      at.get(label)[0].push(places[2 * i]);
      at.get(label)[1].push(places[2 * i + 1]);
    });
    const middle = (values) => values.sort((a, b) => a - b)[values.length >> 1];
    const size = (data.classes.every((name) => name.length === 1) ? 26 : 19) * big, taken = [];
    this.pen.font = `800 ${size}px sans-serif`;
    for (const [label, [xs, ys]] of at) {
      const [x, y] = this.spot(middle(xs), middle(ys)), near = ys.filter((v) => Math.abs(v - middle(ys)) < 0.25);
      const [, top] = this.spot(0, Math.max(...near)), [, bottom] = this.spot(0, Math.min(...near));
      const above = Math.max(16 * big, Math.max(top, y - 90 * big) - 20 * big), hidden = this.crossed(x, above);
      const wide = this.pen.measureText(data.classes[label]).width / 2 + 3;
      taken.push({ label, x, y: hidden ? Math.min(bottom, y + 90 * big) + 20 * big : above, wide });
    }
    taken.sort((a, b) => a.y - b.y).forEach((one, i) => { // the lower of two that lie on each other gives way
      for (const other of taken.slice(0, i).sort((a, b) => a.y - b.y)) {
        if (Math.abs(one.x - other.x) < one.wide + other.wide && one.y < other.y + size) one.y = other.y + size;
      }
      this.halo(data.classes[one.label], one.x, one.y, size, this.ink);
    });
  }

  /** Whether a stop of the attack, or its number, covers this place. */
  crossed(x, y) {
    if (!this.stops || this.animation?.kind === "replay" || this.data.forming) return false;
    const spots = this.data.stops.decoded.map((_, i) => this.spot(this.stops[2 * i], this.stops[2 * i + 1]));
    return spots.some(([px, py]) => Math.hypot(px - x, py - y) < 48 * this.big);
  }

  /** The stops of one attack: numbered, joined, each with the look of what it is read as. */
  way() {
    const { pen, data, big } = this, { decoded, numbers, label } = data.stops;
    const spots = decoded.map((_, i) => this.spot(this.stops[2 * i], this.stops[2 * i + 1]));
    pen.strokeStyle = this.ink;
    pen.lineWidth = 2.5;
    pen.beginPath();
    spots.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    pen.stroke();
    spots.forEach(([x, y], i) => {
      const look = data.looks[this.kind(decoded[i], label)];
      pen.fillStyle = this.ground;
      pen.beginPath();
      pen.arc(x, y, 12 * big, 0, 7);
      pen.fill();
      pen.strokeStyle = this.ink;
      pen.lineWidth = 1.5;
      pen.stroke();
      this.mark(x, y, look.symbol, look.colour, 7 * big);
    });
    spots.forEach(([x, y], i) => {  // the numbers stand beside the way, on the outer side of its bends
      const [px, py] = spots[Math.max(0, i - 1)], [nx, ny] = spots[Math.min(spots.length - 1, i + 1)];
      const outer = (px - nx) * (2 * y - py - ny) + (ny - py) * (2 * x - px - nx) < 0 ? -1 : 1;
      const dx = data.bands ? 0 : outer * (ny - py), dy = data.bands ? (i % 2 ? 1 : -1) : outer * (px - nx);
      const far = Math.hypot(dx, dy);
      this.halo(numbers[i], far < 1 ? x : x + 27 * big * dx / far,
        far < 1 ? y - 23 * big : y + 23 * big * dy / far, 17 * big, this.ink);
    });
  }

  loop() {
    const { pen } = this;
    pen.strokeStyle = this.ink;
    pen.lineWidth = 2;
    pen.setLineDash([6, 4]);
    pen.beginPath();
    for (const [x, y] of this.lasso) pen.lineTo(x, y);
    pen.closePath();
    pen.stroke();
    pen.setLineDash([]);
  }

  /** Whether points can be pointed at. */
  get ready() {
    return Boolean(this.now) && !this.data.forming;
  }

  /** The indices of the points that are drawn as such: under an attack, those that it moves. */
  drawn() {
    const attacked = this.steps.length > 1 && this.step > 0 ? new Set(this.data.steps.rows) : null;
    return [...this.data.rows.keys()].filter((i) => !attacked || attacked.has(this.data.rows[i]));
  }

  /** The point nearest to (x, y), if it is within reach. */
  nearest(x, y, reach = 14) {
    let best = null, least = reach ** 2;
    for (const i of this.drawn()) {
      const [px, py] = this.spot(this.now[2 * i], this.now[2 * i + 1]), far = (px - x) ** 2 + (py - y) ** 2;
      if (far < least) { least = far; best = i; }
    }
    return best;
  }

  /** The point in the middle of the map, where the keys begin. */
  middle() {
    return this.nearest(this.canvas.clientWidth / 2, this.canvas.clientHeight / 2, Infinity);
  }

  /** The next point from point i in a direction: near, and rather ahead than aside. */
  towards(i, [dx, dy]) {
    const [x, y] = this.spot(this.now[2 * i], this.now[2 * i + 1]);
    let best = i, least = Infinity;
    for (const k of this.drawn()) {
      const [px, py] = this.spot(this.now[2 * k], this.now[2 * k + 1]);
      const ahead = (px - x) * dx + (py - y) * dy, aside = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
      if (k !== i && ahead > 0 && aside <= ahead && ahead + 2 * aside < least) { least = ahead + 2 * aside; best = k; }
    }
    return best;
  }

  /** The next drawn point from point i in the order of the images. */
  following(i, direction) {
    const order = this.drawn(), k = order.indexOf(i);
    return order[k < 0 ? 0 : (k + direction + order.length) % order.length];
  }

  keydown(event) {
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!this.ready || event.ctrlKey || event.metaKey || event.altKey) return;
    if (arrow) {
      const from = this.at ?? this.middle();
      if (from === null) return;
      this.pointAt(event.shiftKey ? this.following(from, arrow[0] + arrow[1]) : this.towards(from, arrow), true);
    } else if (event.key === "Enter" && this.at !== null) this.onOpen(this.data.rows[this.at]);
    else if (event.key === "Escape" && this.at !== null) this.pointAt(null);
    else return;
    event.preventDefault();
    event.stopPropagation();  // the lesson has the arrows, too
  }

  /** Show what point i is, or with null nothing; aloud for those who came to it by keys. */
  pointAt(i, aloud = false) {
    const changed = i !== this.at;
    this.at = i;
    if (aloud && i !== null) this.root.querySelector(".heard").textContent = this.words(i);
    if (changed) this.ask();
    else this.show();
  }

  words(i) {
    const { data } = this, heard = this.read(i), name = data.classes[data.labels[i]];
    const look = data.looks[this.kind(heard, data.labels[i])], steps = this.step > 0 ? data.steps?.numbers[this.step] : 0;
    const after = steps ? ` after ${steps} step${steps === 1 ? "" : "s"}; shown as it was before` : "";
    return `image ${data.rows[i]}, ${/^[aeio8]/.test(name) ? "an" : "a"} ${name}\n${look.sign} read as ${heard < 0 ? "None" : data.classes[heard]}${after}`;
  }

  /** The image and the words of the point that is pointed at, beside it, and a ring around it. */
  show() {
    const i = this.ready && !this.lasso ? this.at : null, { tip, thumb, pen, data, big } = this;
    if ((tip.hidden = i === null)) return;
    const [x, y] = this.spot(this.now[2 * i], this.now[2 * i + 1]), sheet = window.tasklabSheets?.get(data.sheet);
    pen.strokeStyle = this.ink;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(x, y, 11 * big, 0, 7);
    pen.stroke();
    tip.querySelector(".words").textContent = this.words(i) + (i === this.tapped ? "\nTap again to attack it." : "");
    thumb.hidden = !sheet;
    if (sheet) {
      const across = i % sheet.columns, down = Math.floor(i / sheet.columns), wide = 4.5 * 16 * big;
      Object.assign(thumb.style, {
        aspectRatio: `${sheet.width} / ${sheet.height}`, backgroundSize: `${wide * sheet.columns}px auto`,
        backgroundPosition: `${-across * wide}px ${-down * wide * sheet.height / sheet.width}px`,
      });
      const source = `url(${sheet.source})`;
      if (this.source !== source) thumb.style.backgroundImage = this.source = source;
    }
    const { clientWidth: w, clientHeight: h } = this.canvas, below = y + 16 * big + tip.offsetHeight <= h;
    const left = Math.max(4, Math.min(x + 14 * big, w - tip.offsetWidth - 4));
    const top = this.canvas.offsetTop + (below ? y + 16 * big : Math.max(4, y - 16 * big - tip.offsetHeight));
    Object.assign(tip.style, { left: `${left}px`, top: `${top}px` });
  }

  pointerdown(event) {
    if (this.data.forming || this.animation) return;
    this.lasso = [[event.offsetX, event.offsetY]];
    this.canvas.setPointerCapture(event.pointerId);
  }

  pointermove(event) {
    if (this.lasso) {
      this.lasso.push([event.offsetX, event.offsetY]);
      this.ask();
      return;
    }
    const i = this.ready ? this.nearest(event.offsetX, event.offsetY) : null;
    this.canvas.style.cursor = i === null ? "crosshair" : "pointer";
    this.pointAt(i);
  }

  pointerup(event) {
    const lasso = this.lasso;
    this.lasso = null;
    if (!lasso) return;
    const far = Math.max(...lasso.map(([x, y]) => Math.hypot(x - lasso[0][0], y - lasso[0][1])));
    if (far < 6) {
      const touched = event.pointerType === "touch", i = this.nearest(event.offsetX, event.offsetY, touched ? 24 : 14);
      if (i === null) this.pick([]);
      else if (!touched || i === this.tapped) this.onOpen(this.data.rows[i]);
      this.tapped = touched ? i : null;  // a finger cannot point without touching: the first tap shows, the second opens
      this.pointAt(i);
      return;
    }
    this.pick(this.drawn().filter((i) => this.inside(this.spot(this.now[2 * i], this.now[2 * i + 1]), lasso))
      .map((i) => this.data.rows[i]));
  }

  pointercancel() {
    this.lasso = null;
    this.ask();
  }

  pointerleave(event) {
    if (event.pointerType !== "touch") this.pointAt(null);
  }

  inside([x, y], path) {
    let odd = false;
    for (let i = 0, j = path.length - 1; i < path.length; j = i++) {
      const [xi, yi] = path[i], [xj, yj] = path[j];
      if (yi > y !== yj > y && x < (xj - xi) * (y - yi) / (yj - yi) + xi) odd = !odd;
    }
    return odd;
  }

  choose(value) {
    this.pick(value === "" ? [] : this.data.rows.filter((_, i) => this.data.labels[i] === Number(value)), true);
  }

  pick(rows, chosen = false) {
    if (!chosen) this.choice.value = "";
    this.picked = new Set(rows);
    this.tell();
    this.ask();
    this.onPick({ rows, step: this.step });
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".map");
  root.live ??= new LivingMap(root);
  root.live.onPick = (picked) => setTriggerValue("picked", picked);
  root.live.onOpen = (row) => setTriggerValue("opened", row);
  root.live.update(data);
}
