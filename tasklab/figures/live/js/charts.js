// Outputs before and after an attack as SVG: bars (TRA), bit gauges (RBC, DeepBE), a line of intervals (INT).

const GREY = "#8a8a8a", BLUE = LOOKS.correct.colour;

/** A marker by plotly's name for it. */
function marker(symbol, x, y, size, colour) {
  const r = size / 2, stroke = `stroke="${colour}" stroke-width="3" fill="none"`;
  const cross = `M${x - r * 0.75} ${y - r * 0.75}L${x + r * 0.75} ${y + r * 0.75}` +
    `M${x - r * 0.75} ${y + r * 0.75}L${x + r * 0.75} ${y - r * 0.75}`;
  if (symbol === "circle-open") return `<circle cx="${x}" cy="${y}" r="${r - 1}" ${stroke}/>`;
  if (symbol === "diamond") return `<path d="M${x} ${y - r}L${x + r} ${y}L${x} ${y + r}L${x - r} ${y}Z" fill="${colour}"/>`;
  if (symbol === "x") return `<path d="${cross}" stroke="${colour}" stroke-width="${size / 3.2}" fill="none"/>`;
  if (symbol === "triangle-left" || symbol === "triangle-right") {
    const way = symbol === "triangle-left" ? -r : r;
    return `<path d="M${x - way} ${y - r}L${x + way} ${y}L${x - way} ${y + r}Z" fill="${colour}"/>`;
  }
  return `<rect x="${x - r}" y="${y - r}" width="${size}" height="${size}" ${stroke}/><path d="${cross}" ${stroke}/>`;
}

const word = (x, y, text, more = "") => `<text x="${x}" y="${y}" text-anchor="middle" ${more}>${esc(text)}</text>`;

/** A class name under its place; the label's own in bold, with a mark. */
function tick(x, y, name, own) {
  return own ? word(x, y, name, 'font-weight="700"') + word(x, y + 13, "▲", 'font-size="11"') : word(x, y, name);
}

/** Class names under their places; without room for all of them, the label's, and below it that of the class read. */
function ticks(places, y, view, width) {
  const own = places.find(({ k }) => k === view.label), other = places.find(({ k }) => k === view.decoded && k !== view.label);
  const wide = (name) => 8 * name.length;
  if (places.every(({ name }) => name.length < 3 || wide(name) < width / places.length)) {
    return places.map(({ x, name, k }) => tick(x, y, name, k === view.label)).join("");
  }
  const within = (x, name) => Math.min(Math.max(x, wide(name) / 2), width - wide(name) / 2);
  const full = ({ x, name }, down, sign) => word(within(x, `${sign} ${name}`), y + down, `${sign} ${name}`, 'font-weight="700"');
  return (own ? full(own, 0, "▲") : "") + (other ? full(other, 15, LOOKS.wrong.sign) : "");
}

function bars(chart, view, width, height) {
  const { classes, names, low, high } = chart, top = 16, bottom = height - 32;
  const y = (value) => bottom - ((Math.min(Math.max(value, low), high) - low) / (high - low)) * (bottom - top);
  const step = width / classes.length, found = [];
  classes.forEach((k, i) => {
    const x = (i + 0.5) * step, chosen = k === view.decoded, look = LOOKS[outcome(view.decoded, view.label)];
    const [a, b] = [y(0), y(view.now[k])], up = b <= a;
    found.push(`<rect x="${x - step * 0.4}" y="${Math.min(a, b)}" width="${step * 0.8}" height="${Math.abs(a - b) + 0.5}" ` +
      `fill="${chosen ? look.colour : GREY}" fill-opacity="${chosen ? 1 : 0.55}"/>`);
    if (chosen) found.push(word(x, up ? b - 4 : b + 14, look.sign, 'font-weight="700"'));
    if (view.before) found.push(marker("circle-open", x, y(view.before[k]), Math.min(11, step * 0.7), GREY));
  });
  found.push(ticks(classes.map((k, i) => ({ k, x: (i + 0.5) * step, name: names[i] })), bottom + 15, view, width));
  found.push(`<line x1="0" x2="${width}" y1="${y(0)}" y2="${y(0)}" stroke="${GREY}" stroke-width="1"/>`);
  return found.join("");
}

function gauges(chart, view, width, height) {
  const { threshold, rail, signs, reach } = chart, top = 6, bottom = height - 24, left = 40, found = [];
  const y = (value) => bottom - ((Math.min(Math.max(value, threshold - reach), threshold + reach) - threshold + reach) /
    (2 * reach)) * (bottom - top);
  const step = (width - left) / signs.length, middle = y(threshold), half = (bottom - top) / 2;
  signs.forEach((sign, i) => {
    const x = left + (i + 0.1) * step, wide = step * 0.8;
    found.push(`<rect x="${x}" y="${top}" width="${wide}" height="${half}" fill="${sign > 0 ? BLUE : GREY}" fill-opacity="${sign > 0 ? 0.24 : 0.1}"/>`);
    found.push(`<rect x="${x}" y="${middle}" width="${wide}" height="${half}" fill="${sign > 0 ? GREY : BLUE}" fill-opacity="${sign > 0 ? 0.1 : 0.24}"/>`);
  });
  const crowded = Math.abs(y(threshold + rail) - y(threshold)) < 13;
  for (const [value, dash] of [[threshold, ""], [threshold - rail, "2 4"], [threshold + rail, "2 4"]]) {
    if (dash && !rail) continue;
    found.push(`<line x1="${left}" x2="${width}" y1="${y(value)}" y2="${y(value)}" stroke="${GREY}" stroke-width="2" stroke-dasharray="${dash}"/>`);
    if (dash && crowded && value < threshold) continue;
    const both = threshold ? `${exact(threshold - rail)}, ${exact(threshold + rail)}` : `±${exact(rail)}`;
    const words = dash && crowded ? both : exact(value), down = dash && crowded ? -8 : crowded ? 8 : 4;
    found.push(`<text x="${left - 5}" y="${y(value) + down}" text-anchor="end" font-size="12">${words}</text>`);
  }
  signs.forEach((sign, i) => {
    const x = left + (i + 0.5) * step, shift = view.before ? step * 0.17 : 0, size = Math.min(14, step * 0.5);
    const now = view.now[i] > threshold, right = now === sign > 0, look = LOOKS[right ? "correct" : "wrong"];
    if (view.before) {
      found.push(`<line x1="${x - shift}" y1="${y(view.before[i])}" x2="${x + shift}" y2="${y(view.now[i])}" stroke="${GREY}" stroke-width="2"/>`);
      found.push(marker("circle-open", x - shift, y(view.before[i]), size, GREY));
    }
    found.push(marker(look.symbol, x + shift, y(view.now[i]), size, look.colour));
    const was = view.before ? view.before[i] > threshold : now;
    found.push(word(x, bottom + 17, was === now ? +now : `${+was}→${+now}`, was === now ? "" : 'font-weight="700"'));
  });
  return found.join("");
}

/** The ground of a number line: intervals, None hatched between and beyond, class names. */
function lineGround(chart, view, x, top, bottom) {
  const { lower, upper, floor, end, low, high, shown, names } = chart, found = [];
  const band = (a, b, fill, opacity) => (b > a ? `<rect x="${x(a)}" y="${top}" width="${x(b) - x(a)}" ` +
    `height="${bottom - top}" fill="${fill}" fill-opacity="${opacity}"/>` : "");
  lower.forEach((a, k) => {
    const own = k === view.label, read = k === view.decoded && !own;
    found.push(band(a, upper[k], own ? BLUE : read ? LOOKS.wrong.colour : GREY, own ? 0.4 : read ? 0.45 : 0.2));
    const next = k + 1 < lower.length ? lower[k + 1] : end;
    found.push(floor ? band(upper[k], next, GREY, 0.08) : k + 1 < lower.length ? band(upper[k], next, "url(#tl-hatch)", 1) : "");
  });
  found.push(band(low, lower[0], "url(#tl-hatch)", 1), band(floor ? end : upper[upper.length - 1], high, "url(#tl-hatch)", 1));
  found.push(ticks(shown.map((k) => ({ k, x: x((lower[k] + upper[k]) / 2), name: names[k] })), bottom + 15, view, x(high)));
  return found.join("");
}

function line(chart, view, width, height) {
  const { low, high } = chart, top = 4, bottom = height - 32, side = 8;
  const within = (value) => Math.min(Math.max(value, low), high);
  const x = (value) => side + ((within(value) - low) / (high - low)) * (width - 2 * side);
  const at = (share) => top + share * (bottom - top), [first, second] = view.before ? [0.27, 0.73] : [0.5, 0.5];
  const look = LOOKS[outcome(view.decoded, view.label)], found = [HATCH, lineGround(chart, view, x, top, bottom)];
  const place = (value, share, symbol, colour) => {
    if (value === within(value)) return marker(symbol, x(value), at(share), 16, colour);
    const leftwards = value < low, anchor = leftwards ? "start" : "end";
    return marker(leftwards ? "triangle-left" : "triangle-right", x(value), at(share), 14, colour) +
      `<text x="${x(value) + (leftwards ? 12 : -12)}" y="${at(share) + 5}" text-anchor="${anchor}" font-weight="700" class="tl-over">${number(value)}</text>`;
  };
  if (view.before) {
    found.push(`<line x1="${x(view.before[0])}" y1="${at(first)}" x2="${x(view.now[0])}" y2="${at(second)}" stroke="${GREY}" stroke-width="2"/>`);
    found.push(place(view.before[0], first, "circle-open", GREY));
  }
  return found.join("") + place(view.now[0], second, look.symbol, look.colour);
}

/** The chart of a system's outputs, into `holder`, as wide as it was measured to be. */
function drawOutputs(holder, chart, view, width, height = 150) {
  const inner = { bars, gauges, line }[chart.kind](chart, view, width, height);
  write(holder, picture(inner, said(chart, view), width, height), true);
}

/** An SVG as an image with a description, enlarged in proportion to the page's type. */
function picture(inner, words, width, height) {
  return `<svg role="img" aria-label="${esc(words)}" width="${width * scale()}" height="${height * scale()}" viewBox="0 0 ${width} ${height}">${inner}</svg>`;
}

/** How wide a chart in `holder` should be, before it grows with the type. */
const chartWidth = (holder) => Math.max(160, Math.floor((holder.clientWidth || 240) / scale()));

/** A description of the chart in words. */
function said(chart, view) {
  const one = (values, decoded) => {
    const words = read(decoded, chart.all);
    if (chart.kind === "line") return `${exact(values[0])}, read as ${words}`;
    if (chart.kind === "gauges") return `bits ${values.map((v) => +(v > chart.threshold)).join("")}, read as ${words}`;
    return `largest for class ${chart.all[values.indexOf(Math.max(...values))]}, read as ${words}`;
  };
  const now = one(view.now, view.decoded);
  return view.before ? `${chart.intro} Before: ${one(view.before, view.beforeDecoded)}. After: ${now}.` : `${chart.intro} Now: ${now}.`;
}
