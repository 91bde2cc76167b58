// The codecs and losses of the library, for outputs under a hand: what they decode to, their loss and its gradient.

/** The label that outputs mean, -1 for None; outputs are float32, as in the library. */
function decode(spec, outputs) {
  const z = outputs.map(Math.fround);
  if (spec.code === "scores") return z.indexOf(Math.max(...z)); // a tie goes to the lowest tied class
  if (spec.code === "bits") {
    const bits = z.map((v) => +(v > spec.threshold)); // on the threshold a bit reads 0
    return spec.rows.findIndex((row) => row.every((bit, i) => bit === bits[i]));
  }
  const { lower, reach, gap } = spec, [v] = z, shared = (k) => lower[k + 1] === reach[k];
  return lower.findIndex((low, k) => v >= low && (v < reach[k] || (v === reach[k] && gap === "abnormal" && !shared(k))));
}

/** How far the label is from being lost (positive) or from being read (negative). */
function margin(spec, z, label) {
  if (spec.code === "scores") return z[label] - Math.max(...z.filter((_, k) => k !== label));
  if (spec.code === "bits") return Math.min(...z.map((v, i) => (2 * spec.rows[label][i] - 1) * (v - spec.threshold)));
  return Math.min(z[0] - spec.lower[label], spec.reach[label] - z[0]);
}

/** The training loss at outputs `z`, and its gradient with respect to them. */
function lossAndGradient(spec, z, label) {
  if (spec.loss === "cross-entropy") {
    const top = Math.max(...z), powers = z.map((v) => Math.exp(v - top)), sum = powers.reduce((a, b) => a + b, 0);
    return [Math.log(sum) + top - z[label], powers.map((p, k) => Math.fround(p / sum) - (k === label))];
  }
  if (spec.loss === "interval") {
    const under = Math.max(0, spec.lower[label] - z[0]), over = Math.max(0, z[0] - spec.upper[label]);
    return [under ** 2 + over ** 2, [2 * (over - under)]];
  }
  const bits = spec.rows[label], sum = (values) => values.reduce((a, b) => a + b, 0);
  if (spec.loss === "mse") return [sum(z.map((v, i) => (v - bits[i]) ** 2)), z.map((v, i) => 2 * (v - bits[i]))];
  if (spec.loss === "bce") {
    const logits = z.map((v) => v - spec.threshold);
    return [sum(logits.map((t, i) => Math.max(t, 0) - t * bits[i] + Math.log1p(Math.exp(-Math.abs(t))))),
      logits.map((t, i) => 1 / (1 + Math.exp(-t)) - bits[i])];
  }
  const sides = bits.map((bit) => 2 * bit - 1);
  const short = z.map((v, i) => Math.max(0, spec.margin - (v - spec.threshold) * sides[i]));
  return [sum(short.map((v) => v ** 2)), short.map((v, i) => -2 * v * sides[i] + 0)];
}
