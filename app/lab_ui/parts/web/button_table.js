// A table of buttons: the Tab key stops at one of them, the arrow keys move between them, Enter opens one.
// `wide`: buttons in a row. `before`: the place of the button that had the focus before the table was drawn again.
const moveByArrows = (table, wide, before) => {
  const buttons = [...table.querySelectorAll("button")];
  const current = buttons.find((b) => b.getAttribute("aria-pressed") === "true") ?? buttons[0];
  for (const button of buttons) button.tabIndex = button === current ? 0 : -1;
  table.onkeydown = (event) => {
    const at = buttons.indexOf(event.target);
    const away = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -wide, ArrowDown: wide }[event.key];
    if (at < 0 || away === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const to = buttons[at + away];
    if (!to || (Math.abs(away) === 1 && Math.floor(at / wide) !== Math.floor((at + away) / wide))) return;
    event.target.tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
  };
  if (before) buttons.find((b) => b.dataset.place === before)?.focus();
};

const make = (name, words, settings = {}) => {
  const element = Object.assign(document.createElement(name), settings);
  element.textContent = words;
  return element;
};

// Mark one button as pressed, before Python answers.
const press = (table, button) => {
  for (const each of table.querySelectorAll("button")) each.setAttribute("aria-pressed", String(each === button));
};

