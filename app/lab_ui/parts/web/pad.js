// A drawing pad: pen, finger, mouse, or the arrow keys and the space bar. Light ink on black, as the data sets have it.
// Python sends {token, strokes, brush}; a new token replaces what is drawn. When a line ends, {token, brush, strokes}
// goes back, points in [0, 1]; with the label of a button in "submit", only when that button is pressed. Runs again on
// every change of the data, and then keeps what is drawn.
const MOST_POINTS = 4000;

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const room = parentElement.querySelector(".pad");
  const canvas = room.querySelector("canvas");
  const brush = room.querySelector("input");
  const status = room.querySelector(".status");
  const pen = canvas.getContext("2d");
  const pad = (room.pad ??= { token: null, strokes: [], down: false, keys: false, at: [0.5, 0.5] });
  const submit = room.querySelector(".submit");
  submit.hidden = !data.submit;
  submit.textContent = data.submit ?? "";

  if (pad.token !== data.token) {
    Object.assign(pad, { token: data.token, strokes: structuredClone(data.strokes), down: false, at: [0.5, 0.5] });
    brush.value = String(data.brush);
  }

  const draw = () => {
    const side = canvas.width;
    pen.fillStyle = "#000000";
    pen.fillRect(0, 0, side, side);
    pen.strokeStyle = pen.fillStyle = "#ffffff";
    pen.lineCap = pen.lineJoin = "round";
    pen.lineWidth = Number(brush.value) * side;
    for (const stroke of pad.strokes) {
      pen.beginPath();
      pen.moveTo(stroke[0][0] * side, stroke[0][1] * side);
      for (const [x, y] of stroke) pen.lineTo(x * side, y * side);
      pen.stroke();
    }
    if (pad.keys) {
      const [x, y] = pad.at.map((part) => part * side);
      pen.strokeStyle = pad.down ? "#f29a3d" : "#7ab8f5";
      pen.lineWidth = 3;
      pen.beginPath();
      pen.arc(x, y, 9, 0, 7);
      pen.stroke();
    }
  };

  const drawing = () => ({ token: pad.token, brush: Number(brush.value), strokes: pad.strokes });
  const send = () => {
    if (!data.submit) setStateValue("drawn", drawing());
  };
  const total = () => pad.strokes.reduce((sum, stroke) => sum + stroke.length, 0);
  const near = ([a, b], [x, y]) => Math.hypot(a - x, b - y) < 0.008;
  const extend = (point) => {
    const stroke = pad.strokes[pad.strokes.length - 1];
    if (!near(stroke[stroke.length - 1], point) && total() < MOST_POINTS) stroke.push(point);
  };
  const begin = (point) => {
    if (total() >= MOST_POINTS) return false;
    pad.strokes.push([point]);
    return (pad.down = true);
  };
  const end = () => {
    if (!pad.down) return;
    pad.down = false;
    send();
  };
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    const within = (part) => Math.round(1000 * Math.min(1, Math.max(0, part))) / 1000;
    return [within((event.clientX - box.left) / box.width), within((event.clientY - box.top) / box.height)];
  };

  canvas.onpointerdown = (event) => {
    if (event.button !== 0) return;
    end(); // a line that the keys had begun
    pad.keys = false;
    canvas.setPointerCapture(event.pointerId);
    begin(place(event));
    draw();
  };
  canvas.onpointermove = (event) => {
    if (!pad.down || pad.keys) return;
    for (const each of event.getCoalescedEvents?.() ?? [event]) extend(place(each));
    draw();
  };
  canvas.onpointerup = canvas.onpointercancel = () => {
    if (!pad.keys) end();
  };

  room.onkeydown = (event) => {
    event.stopPropagation(); // the arrows are the pad's own here, not the lesson's
    if (event.target !== canvas) return;
    const step = event.shiftKey ? 0.1 : 0.025;
    const away = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (away) {
      pad.keys = true;
      pad.at = pad.at.map((part, i) => Math.round(1000 * Math.min(0.95, Math.max(0.05, part + step * away[i]))) / 1000);
      if (pad.down) extend(pad.at);
    } else if (event.key === " ") {
      pad.keys = true;
      if (pad.down) end();
      else begin(pad.at);
      status.textContent = pad.down ? "Pen down: the arrows draw." : "Pen up: the arrows move it.";
    } else return;
    event.preventDefault();
    draw();
  };
  canvas.onblur = () => {
    if (pad.keys) end();
    pad.keys = false;
    draw();
  };

  brush.oninput = draw;
  brush.onchange = send;
  room.querySelector(".undo").onclick = () => {
    pad.strokes.pop();
    draw();
    send();
  };
  submit.onclick = () => {
    end();
    setTriggerValue("sent", drawing());
  };
  room.querySelector(".clear").onclick = () => {
    pad.strokes = [];
    draw();
    send();
  };
  draw();
}
