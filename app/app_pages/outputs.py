"""Decision outputs of many images, before and after an attack; and what S does to them."""

from __future__ import annotations

import dataclasses
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st
from torch import Tensor

from lab_ui.basics.lab import Lab
from lab_ui.basics.words import HELP, aimed, title
from lab_ui.parts.charts import plot
from lab_ui.parts.components import cell_heading
from lab_ui.results import batch_attacks, growing, lesson_facts
from lab_ui.results.batch_attacks import Batch
from lab_ui.shell import controls, frame
from lab_ui.visitor import catalogue
from tasklab import figures
from tasklab.attacks.registry import fields_of, import_lines
from tasklab.data import DATASETS
from tasklab.data.radii import eps_said
from tasklab.evaluation.counts import Outcomes, outcomes
from tasklab.experiments.scenario import Scenario
from tasklab.figures.decisions import Reading
from tasklab.figures.histograms import describe_decisions
from tasklab.figures.live.sweep import how
from tasklab.figures.style import BLUE, LOOKS, ORANGE, Outcome
from tasklab.text import in_markdown

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

WHOLE, ALL = "the whole answer", "all classes"
COLUMNS = 2
"""Number of histograms side by side."""

MASKED = 0.1
"""Share of correctly classified images with a gradient of exactly 0 above which the attack is called masked."""

STACK = """<style>
.outputs-stack > div { display: flex; align-items: center; gap: 0.6rem; margin: 0.25rem 0; }
.outputs-stack b { flex: 0 0 4.6rem; font-weight: 600; }
.outputs-stack div > div { flex: 1; display: flex; height: 1.9rem; border-radius: 6px; overflow: hidden; }
.outputs-stack span { display: flex; align-items: center; justify-content: center; font-weight: 700;
  white-space: nowrap; overflow: hidden; }
</style>"""
ALIKE = 0.1
"""The largest difference between two accuracies that count as about the same."""

GUESSES = ("a larger S withstands it better", "S makes hardly any difference", "a larger S breaks sooner")


@dataclass(frozen=True, kw_only=True, eq=False)
class Panel:
    """One system under attack.

    Attributes:
        batch: the attacked images.
        drawn: bool ``(N,)``, which of them are drawn.
        bit: index of the bit that is drawn; None for the whole answer.
        reading: the numbers that are drawn.
    """

    batch: Batch
    drawn: Tensor
    bit: int | None
    reading: Reading

    def outcomes(self) -> list[tuple[str, Outcomes]]:
        """Outcomes of the drawn images, before and after the attack."""
        labels = self.batch.labels[self.drawn]
        return [(when, outcomes(decoded[self.drawn], labels))
                for when, decoded in zip(("before", "after"), self.batch.decoded, strict=True)]


def page() -> None:
    """Draw the controls, a histogram for each system, and the comparison of several S."""
    lab = frame.open_page("outputs", bar=("data", "systems", "seed"))
    scenario = controls.attack(lab, n=True)
    head = st.container()
    bit, label = _choose(lab)
    _legend(scenario, bit)
    seen, batches = batch_attacks.start(
        "outputs", {name: (scenario, name, title(lab.key(name))) for name in lab.chosen})
    growing.show("outputs", seen)
    scenario = growing.as_far_as(scenario, seen)
    panels: dict[str, Panel] = {}
    charts: dict[str, Figure] = {}
    with st.container(key="outputs_histograms"):
        for begin in range(0, len(lab.chosen), COLUMNS):
            columns = st.columns(min(COLUMNS, len(lab.chosen)))
            for column, name in zip(columns, lab.chosen[begin : begin + COLUMNS], strict=False):
                with column, st.container(border=True, gap="xsmall", height="stretch"):
                    _panel(lab, scenario, name, batches[name], bit, label, panels, charts)
    with head:
        frame.headline("Decision outputs", _lead(lab, scenario, panels, whole=seen.finished))
    if not seen.finished:
        frame.close_page(lab)
        return
    _tell(lab, panels)
    st.caption("The accuracies after the attack are upper bounds: another attack may leave less.")
    with st.container(key="outputs_sizes"):
        _about_s(lab, scenario)
    if panels:
        frame.close_page(lab, code=_code(scenario, panels, label), tables={"outputs": _table(panels)}, figures={
            key: (chart, _title(lab, scenario, key)) for key, chart in charts.items()})


def _title(lab: Lab, scenario: Scenario, key: str) -> str:
    """The title of a system's figure in a file."""
    return (f"{title(key)} · {DATASETS[lab.data].title} · n = {scenario.n} · "
            f"{how(scenario.settings(scenario.aims[0]))}, aimed at {aimed(scenario, scenario.aims[0])[0]} "
            f"· ε = {eps_said(scenario.eps, number=True)}")


def _choose(lab: Lab) -> tuple[int | None, int | None]:
    """Draw the controls of bit and class, both URL parameters; their indices, None for all."""
    classes = lab.pictures.classes
    bits = max([(len(classes) - 1).bit_length(), *(_bits(name) for name in lab.chosen)])
    with st.container(horizontal=True):
        bit = st.selectbox("Histogram of", (WHOLE, *(f"bit {i + 1}" for i in range(bits))), key="outputs_bit",
                           bind="query-params", width=220,
                           help="Which numbers are drawn: those from which the whole decision is made (the margins, or "
                           "INT's outputs), or the values of a single bit. Look at one bit to see how often it "
                           "changes.")
        label = st.selectbox("Images of", (ALL, *classes), key="outputs_class", bind="query-params", width=220,
                             help="Whether the images of all classes are drawn or those of one class alone. With one "
                                  "class you can see where its images go.")
    return (None if bit == WHOLE else int(bit.split()[1]) - 1), (None if label == ALL else classes.index(label))


def _bits(name: str) -> int:
    """How many bits a system answers in; 0 for one that has none, or does not load."""
    try:
        gauges = catalogue.system(name).task.gauges
    except ValueError:
        return 0
    return 0 if gauges is None else gauges.width


def _legend(scenario: Scenario, bit: int | None) -> None:
    """Explain the colours; those of a bit are its own, and what becomes of the answer stands below each histogram."""
    of_bit = "" if bit is None else "the bit is "
    st.html(
        f'<div class="lab-aim"><h2>Aimed at {aimed(scenario, scenario.aims[0])[0]}</h2></div>'
        '<p class="lab-key"><span>━ grey line: before the attack</span>'
        f'<span><span style="color:{BLUE}">■</span> after it, {of_bit}correct</span>'
        f'<span><span style="color:{ORANGE}">■</span> after it, {of_bit}wrong</span>'
        "<span>┊ rail: where training stops pushing</span>"
        + ("<span>▨ after it, None</span>"
           f'<span><span style="display:inline-block;width:0.8em;height:0.8em;background:{BLUE}44"></span> '
           "blue background: read as the label</span></p>" if bit is None else
           "<span>below each histogram: what becomes of the whole answer</span></p>")
    )


def _panel(
    lab: Lab, scenario: Scenario, name: str, batch: Batch | str, bit: int | None, label: int | None,
    panels: dict[str, Panel], charts: dict[str, Figure],
) -> None:
    """Draw one system: its histogram, its outcomes and the conditions; it is added to ``panels`` and ``charts``."""
    called = title(lab.key(name))
    if isinstance(batch, str):
        st.html(cell_heading(called, ""))
        st.info(in_markdown(batch))
        return
    gauges = batch.task.gauges
    bit = bit if gauges is not None and bit is not None and bit < gauges.width else None
    reading = figures.read_decisions(batch.task, *batch.outputs, batch.labels, bit=bit, label=label)
    drawn = batch.labels == label if label is not None else batch.labels >= 0
    panels[name] = panel = Panel(batch=batch, drawn=drawn, bit=bit, reading=reading)
    st.html(cell_heading(called, batch.task.answers))
    if not len(reading.before):
        st.info("None of the attacked images is of this class. Choose another class, or more images.")
        return
    charts[lab.key(name)] = _histogram(called, reading, f"histogram {name}")
    _stack(called, panel.outcomes())
    (aim,) = scenario.aims
    shown = "" if label is None else f" · shown: the {int(drawn.sum())} of this class"
    frame.badge(n=len(batch.rows), aim=aimed(scenario, aim)[0], zero=batch.zero,
                how=f"{how(scenario.settings(aim))}, ε = {eps_said(scenario.eps, number=True)}{shown}",
                verdict="masked" if batch.zero > MASKED else None, help=HELP["badge"])


def _histogram(called: str, reading: Reading, key: str, window: tuple[float, float] | None = None) -> Figure:
    figure = figures.decision_histogram(reading, window=window, height=250)
    plot(figure, key=key, alt=describe_decisions(called, reading))
    return figure


def _stack(called: str, rows: Sequence[tuple[str, Outcomes]]) -> None:
    """Draw a bar for each row, divided into correct, wrong and None.

    Args:
        called: heading of the system.
        rows: label of a row and its outcomes.
    """
    lines = []
    for when, o in rows:
        parts: list[tuple[Outcome, int]] = [("correct", o.correct), ("wrong", o.wrong), ("abnormal", o.abnormal)]
        bars = "".join(
            f'<span class="lab-{kind}" style="width: {100 * count / o.n:.2f}%">'
            + (f"{LOOKS[kind].sign} {100 * count / o.n:.0f} %" if count >= 0.16 * o.n else "") + "</span>"
            for kind, count in parts if count
        )
        words = ", ".join(f"{count} {LOOKS[kind].word}" for kind, count in parts)
        lines.append(f'<div><b>{when}</b><div role="img" aria-label="{html.escape(called)}, {when}: {words} of {o.n}" '
                     f'title="{words}">{bars}</div></div>')
    st.html(f'<div class="lab-page outputs-stack">{"".join(lines)}</div>{STACK}')


def _lead(lab: Lab, scenario: Scenario, panels: dict[str, Panel], *, whole: bool) -> str:
    """How many images are still classified correctly, and why; HTML."""
    if not panels and not whole:
        return "The attack has just begun; each system appears as soon as it has been attacked."
    if not panels:
        return "This attack cannot be made with these settings; the reason is given for each system."
    parts = []
    for name, panel in panels.items():
        before, after = (outcomes(d, panel.batch.labels).accuracy.value for d in panel.batch.decoded)
        parts.append(f"<b>{html.escape(title(lab.key(name)))} {100 * before:.0f} → {100 * after:.0f} %</b>")
    aim, _ = aimed(scenario, scenario.aims[0])
    sentence = f"Correct before and after an attack aimed at {aim}: {', '.join(parts)}."
    masked = [f"{100 * panel.batch.zero:.0f} % ({html.escape(title(lab.key(name)))})" for name, panel in panels.items()
              if panel.batch.zero > MASKED]
    if masked:
        sentence += (" Of the images classified correctly before, the attack had no gradient to follow on "
                     f"{', '.join(masked)}.")
    return sentence


def _tell(lab: Lab, panels: dict[str, Panel]) -> None:
    """Add to the lesson what the histograms show."""
    named = {title(lab.key(name)): panel for name, panel in panels.items()}

    def left() -> str:
        rows = {}
        for name, panel in named.items():
            before, after = (outcomes(decoded, panel.batch.labels) for decoded in panel.batch.decoded)
            rows[name] = before, after, panel.batch.zero
        return lesson_facts.left(rows)

    def bit() -> str:
        rows = {}
        for name, panel in named.items():
            reading = panel.reading
            if panel.bit is not None and reading.after is not None and reading.threshold is not None:
                changed = (reading.before > reading.threshold) != (reading.after > reading.threshold)
                rows[name] = int(changed.sum()), len(changed)
        return lesson_facts.bit(rows)

    def ends() -> str:
        lines = [panel for panel in named.values() if panel.batch.task.line is not None and panel.drawn.any()]
        return lesson_facts.ends(lines[0].outcomes()[1][1]) if lines else ""

    frame.tell(lab, left=left, bit=bit, ends=ends)


def _about_s(lab: Lab, scenario: Scenario) -> None:
    """Draw the same attack on systems that differ only in S, after a first guess."""
    keys = [key for key in lab.systems if re.fullmatch(r"rbc(-s\d+)?", key)]
    if len(keys) < 2 or "objective" not in fields_of(scenario.kind):  # such an attack has no two objectives to compare
        return
    st.html('<div class="lab-aim"><h2>What S does</h2></div>')
    guess = frame.predict("outputs", "The same system was trained with several values of S, and training "
                                     "pushes every bit S away from 0. What happens under an attack aimed at "
                                     "the decision margin?", GUESSES)
    if not guess.shown:
        return
    aims = ("train", "margin")
    seen, made = batch_attacks.start("outputs_s", {
        (key, aim): (dataclasses.replace(scenario, objectives=(aim,)), lab.systems[key], title(key))
        for key in keys for aim in aims})
    growing.show("outputs_s", seen)
    batches: dict[str, dict[str, Batch]] = {key: {} for key in keys}
    for (key, aim), batch in made.items():
        if isinstance(batch, str):
            if seen.finished:
                st.info(in_markdown(batch))
            return
        batches[key][aim] = batch
    size = {key: float(batches[key]["margin"].task.to_dict()["S"]) for key in keys}
    keys.sort(key=lambda key: size[key])
    readings = {key: figures.read_decisions(b["margin"].task, *b["margin"].outputs, b["margin"].labels)
                for key, b in batches.items()}
    windows = [reading.window for reading in readings.values()]
    window = min(low for low, _ in windows), max(high for _, high in windows)
    left: dict[str, list[float]] = {aim: [] for aim in aims}
    for column, key in zip(st.columns(len(keys)), keys, strict=True):
        both, called = batches[key], f"S = {size[key]:g}"
        ends = {aim: outcomes(both[aim].decoded[1], both[aim].labels) for aim in aims}
        for aim in aims:
            left[aim].append(ends[aim].accuracy.value)
        with column, st.container(border=True, gap="xsmall"):
            st.html(cell_heading(called, "aimed at the margin, all on one scale"))
            _histogram(called, readings[key], f"S histogram {key}", window)
            clean = outcomes(both["margin"].decoded[0], both["margin"].labels)
            _stack(called, [("before", clean), ("training loss", ends["train"]), ("margin", ends["margin"])])
            if zero := ", ".join(f"{frame.share(both[aim].zero)} ({words})" for aim, words in
                                 (("train", "training loss"), ("margin", "margin")) if both[aim].zero):
                st.caption(f"The gradient was exactly 0 for {zero}.")
    kept = {aim: ", ".join(f"{100 * share:.0f} %" for share in left[aim]) for aim in aims}
    gain = left["margin"][-1] - left["margin"][0]
    guess.verdict(GUESSES[1 if abs(gain) <= ALIKE else 0 if gain > 0 else 2],
                  f"{kept['margin']} for S = {', '.join(f'{size[key]:g}' for key in keys)}")
    st.markdown(
        f"S stretches the whole histogram, and the effect of the attack grows with it. From S = {min(size.values()):g} "
        f"to {max(size.values()):g}, the attack on the training loss leaves **{kept['train']}** of the images "
        f"classified correctly, and the attack on the margin leaves **{kept['margin']}**. A stronger attack may leave "
        "less."
    )


def _table(panels: dict[str, Panel]) -> pd.DataFrame:
    """One row for each system and image; −1 is None."""
    rows = []
    for name, panel in panels.items():
        batch, reading = panel.batch, panel.reading
        for k, i in enumerate(panel.drawn.nonzero()[:, 0].tolist()):
            rows.append({
                "system": name, "picture": batch.rows[i], "label": int(batch.labels[i]),
                "decoded_before": int(batch.decoded[0][i]), "decoded": int(batch.decoded[1][i]),
                "number": reading.axis, "before": float(reading.before[k]), "after": float(reading.now[k]),
            })
    return pd.DataFrame(rows)


def _code(scenario: Scenario, panels: dict[str, Panel], label: int | None) -> str:
    """Python that makes these histograms with the library alone."""
    aimed, chosen = scenario.target is not None, "" if label is None else f", label={label}"
    bits = {name: panel.bit for name, panel in panels.items()}
    if any(bit is not None for bit in bits.values()):
        bit = next(bit for bit in bits.values() if bit is not None)
        with_bits = ", ".join(f'"{name}"' for name, bit_of in bits.items() if bit_of is not None)
        chosen += f", bit={bit}" if all(b is not None for b in bits.values()) else (
            f", bit={bit} if name in [{with_bits}] else None")
    names = ", ".join(f'"{name}"' for name in panels)
    objective = f'"{scenario.climbed(scenario.aims[0])}"'
    rows = [f"rows = (test.labels != {scenario.target}).nonzero()[:, 0]", "x, y = test.x(rows), test.labels[rows]"]
    return "\n".join([
        *(["import torch", ""] if aimed else []),
        "from tasklab import data, figures, zoo",
        *import_lines(scenario.kind, "attack"),
        "",
        f'test = data.load("{scenario.data}", "test").subset({scenario.n})  # the first of them',
        *(rows if aimed else ["x, y = test.x(), test.labels"]),
        f"settings = {scenario.attack}({scenario.arguments(objective)})",
        "",
        "readings = {}",
        f"for name in [{names}]:",
        "    system = zoo.load(name)",
        "    result = attack(system, x, y, settings"
        + (f", targets=torch.full_like(y, {scenario.target}), indices=rows)" if aimed else ")"),
        "    before, after = system.read(x), system.read(result.images)",
        f"    readings[name] = figures.read_decisions(system.task, before, after, y{chosen})",
        '    print(name, f"{result.accuracy:.1%} still correct")',
        "# figures.decision_histogram(readings[name]).show()",
    ])


page()
