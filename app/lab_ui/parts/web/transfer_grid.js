// The matrix of transfer rates as a table of buttons; see button_table.js.
// Python sends the words; a click sends back {threat, victim}. Runs again on every change of the data.
export default function ({ data, parentElement, setTriggerValue }) {
  const table = parentElement.querySelector("table");
  const before = parentElement.activeElement?.dataset?.place;

  const cell = (row, column) => {
    const place = make("td", "");
    place.style.setProperty("--share", column.share ?? 0);
    place.className = column.own ? "rate own" : "rate";
    if (!row.opens) {
      place.textContent = column.text;
      place.title = column.words;
      return place;
    }
    const button = make("button", column.text, { type: "button", title: column.words });
    button.dataset.place = `${row.key}|${column.key}`;
    button.setAttribute("aria-label", column.words);
    button.setAttribute("aria-pressed", String(row.key === data.selected?.[0] && column.key === data.selected?.[1]));
    button.onclick = () => {
      press(table, button);
      setTriggerValue("cell", { threat: row.key, victim: column.key });
    };
    place.append(button);
    return place;
  };

  const still = (row) => {
    const place = make("td", row.still_text, { className: row.masked ? "still masked" : "still", title: row.still_words });
    if (row.masked) place.append(make("span", "▨ masked"));
    return place;
  };

  const head = document.createElement("thead");
  const titles = document.createElement("tr");
  titles.append(make("td", "found against ↓ shown to →", { className: "corner" }));
  for (const column of data.columns) titles.append(make("th", column.name, { scope: "col" }));
  titles.append(make("th", "unchanged", { scope: "col", className: "last" }));
  head.append(titles);

  const body = document.createElement("tbody");
  for (const row of data.rows) {
    const line = document.createElement("tr");
    line.append(make("th", row.name, { scope: "row" }), ...row.cells.map((column) => cell(row, column)), still(row));
    body.append(line);
  }
  table.className = data.columns.length > 4 ? "many" : "";
  table.replaceChildren(make("caption", data.caption), head, body);

  moveByArrows(table, data.columns.length, before);
}
