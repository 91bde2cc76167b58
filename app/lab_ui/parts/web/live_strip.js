// A strip of small images, each a button.

export default function ({ data: [data], parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".tl"), told = data.places.join() + data.pixels.length;
  if (root.told !== told) {
    root.told = told;
    root.innerHTML = `<div class="tl-strip" role="group" aria-label="Images">${data.places.map((place, i) =>
      `<button type="button" data-place="${place}" aria-label="image ${place}, ${esc(an(data.names[i]))}"><canvas></canvas></button>`).join("")}</div>`;
    const pixels = bytes(data.pixels), size = pixels.length / data.places.length;
    root.querySelectorAll("canvas").forEach((canvas, k) => paint(canvas, data.shape, (i) => pixels[k * size + i]));
  }
  root.querySelectorAll("button").forEach((button) => {
    button.setAttribute("aria-pressed", String(Number(button.dataset.place) === data.chosen));
    if (button.getAttribute("aria-pressed") === "true") { // in view, where the strip is longer than the page is wide
      const strip = button.parentElement;
      strip.scrollLeft = button.offsetLeft - strip.offsetLeft - (strip.clientWidth - button.clientWidth) / 2;
    }
    button.onclick = () => setTriggerValue("pick", Number(button.dataset.place));
  });
}
