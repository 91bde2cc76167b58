// A table of the paper as a table of buttons; see button_table.js.
// Python sends the words; a click sends back {row, column}. Runs again on every change of the data.
export default function ({ data, parentElement, setTriggerValue }) {
  const table = parentElement.querySelector("table");
  const before = parentElement.activeElement?.dataset?.place;

  const cell = (row, place) => {
    const button = make("button", "", { type: "button", title: place.words });
    button.dataset.place = `${row.key}|${place.key}`;
    button.setAttribute("aria-label", place.words);
    button.setAttribute("aria-pressed", String(row.key === data.selected[0] && place.key === data.selected[1]));
    for (const bar of place.bars) {
      const line = make("span", bar.text, { className: `bar ${bar.kind}${bar.share < 0.45 ? " short" : ""}` });
      line.style.setProperty("--share", bar.share ?? 0);
      button.append(line);
    }
    if (place.word) button.append(make("span", place.word, { className: `word ${place.look}` }));
    button.onclick = () => {
      press(table, button);
      setTriggerValue("cell", { row: row.key, column: place.key });
    };
    const field = make("td", "");
    field.append(button);
    return field;
  };

  const head = document.createElement("thead");
  const titles = document.createElement("tr");
  titles.append(make("td", ""));
  for (const column of data.columns) {
    const title = make("th", column.key, { scope: "col" });
    title.append(make("span", column.note));
    titles.append(title);
  }
  head.append(titles);

  const body = document.createElement("tbody");
  for (const row of data.rows) {
    const line = document.createElement("tr");
    line.append(make("th", row.key, { scope: "row", title: row.help }), ...row.cells.map((place) => cell(row, place)));
    body.append(line);
  }
  table.replaceChildren(make("caption", data.caption), head, body);
  moveByArrows(table, data.columns.length, before);

  const room = table.parentElement, chosen = body.querySelector('[aria-pressed="true"]');
  if (chosen && room.scrollWidth > room.clientWidth) { // in view, where the table is wider than the page
    const names = body.querySelector("th").offsetWidth; // which stay at the left
    room.scrollLeft = chosen.parentElement.offsetLeft - names - (room.clientWidth - names - chosen.offsetWidth) / 2;
  }
}
