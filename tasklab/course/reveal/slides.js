// Starts the slides. A figure is drawn when its slide is first shown, since nothing can be measured before, and as
// large as the slide allows; a slide that is higher than the screen is made smaller until it fits.
const WIDTH = 1280, HEIGHT = 720, ROOM = 690, SMALLEST = 0.45;
const FIGURE = {width: 1240, height: 600, largest: 2.5};

function draw(slide) {
  for (const place of slide.querySelectorAll(".figure:not(.drawn)")) {
    place.classList.add("drawn");
    const figure = JSON.parse(place.querySelector("script").textContent);
    const {width, height} = figure.layout;
    place.style.zoom = Math.min(FIGURE.width / width, FIGURE.height / height, FIGURE.largest);
    Plotly.newPlot(place.querySelector("div"), figure.data, figure.layout, {displayModeBar: false, staticPlot: false});
  }
}

function fit(slide) {
  slide.style.zoom = 1;
  const height = slide.scrollHeight;
  if (height > ROOM) slide.style.zoom = Math.max(ROOM / height, SMALLEST);
}

function show() {
  const slide = Reveal.getCurrentSlide();
  if (slide) { draw(slide); fit(slide); }
}

Reveal.on("ready", show);
Reveal.on("slidechanged", show);
Reveal.initialize({
  width: WIDTH, height: HEIGHT, margin: 0.03, center: false, controls: true, progress: true, hash: true,
  slideNumber: "h.v", transition: "none", plugins: window.RevealNotes ? [RevealNotes] : [],
});
