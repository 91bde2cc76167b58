"""The page “Transfer”: images found against one system are shown to others; without a gradient nothing transfers."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import streamlit as st

from lab_ui.basics.lab import Lab
from lab_ui.basics.words import HELP, aimed, linked, title
from lab_ui.parts.transfer_grid import counted, percent, transfer_grid
from lab_ui.results import growing, lesson_facts, transfers
from lab_ui.results.transfers import Matrix
from lab_ui.shell import address, controls, frame, menus
from tasklab import figures
from tasklab.attacks.registry import import_lines
from tasklab.data import DATASETS, ImageSet
from tasklab.data.radii import eps_said
from tasklab.evaluation import TransferResult
from tasklab.evaluation.transfer_result import OTHERS, Filter
from tasklab.experiments.scenario import Scenario
from tasklab.figures.live.sweep import how
from tasklab.figures.matrix import WORDS, describe_transfer
from tasklab.text import in_markdown

MOST = 6
"""Largest number of systems in one matrix."""

SHOWN = 18
"""Largest number of images shown of one cell."""

SHORT = 20
"""Largest number of letters of a name that fits a menu of half the column's width."""

KEPT: dict[str, Filter] = {"both classified correctly": "both",
                           "the attacked system classifies correctly (paper)": "threat"}
SHOW = ("that fool it", "that do not")
GUESSES = ("hardly any", "about a third", "more than half")

@dataclass(frozen=True, kw_only=True)
class Cell:
    """The cell whose images are shown: its objective, and the names of threat and victim."""

    aim: str
    threat: str
    victim: str


def page() -> None:
    """Draw the controls, a matrix for each objective, the images of one cell, and the downloads."""
    lab = frame.open_page("transfer", bar=("data", "systems", "seed"))
    scenario = controls.attack(lab, one_objective=False, n=True, targets=False)
    scenario = dataclasses.replace(scenario, systems=lab.chosen[:MOST], n=min(scenario.n, len(lab.pictures)))
    objectives = scenario.aims
    if len(scenario.systems) < 2:
        st.info("Transfer needs two systems: one to attack, and one to be shown the images found. Pick a second "
                f"{lab.controls}.")
        return
    if not objectives:
        st.info(f"Pick at least one aim {lab.controls}, and the attacks begin.")
        return
    names = {name: title(lab.key(name)) for name in scenario.systems}
    if st.query_params.get("transfer_aim") in objectives[1:]:
        st.session_state["transfer_revealed"] = True  # the link leads to what the question would hide
    shown = objectives if address.switch("transfer_revealed") else objectives[:1]
    head = st.container()
    left, right = st.columns([11, 9], gap="medium")
    with right:
        cell = _choose(lab, scenario, shown)
    results: dict[str, TransferResult] = {}
    with left:
        images = _kept()
        seen, matrices = transfers.start(scenario, shown)
        growing.show("transfer", seen)
        _matrix(lab, scenario, objectives[0], matrices, images, names, cell, results)
        asked, guess = None, frame.Guess(shown=True)
        if results and objectives[1:]:
            asked = threat, victim = _asked(results, names)
            aim, _ = aimed(scenario, objectives[1])
            guess = frame.predict("transfer", f"Now the same attacks aim at {aim}. Of the images found against "
                                  f"{names[threat]}, how many will fool {names[victim]}?", GUESSES)
        for objective in objectives[1:] if guess.shown else ():
            _matrix(lab, scenario, objective, matrices, images, names, cell, results)
        if asked and objectives[1] in results:
            _judge(guess, results[objectives[1]], images, *asked)
    if not results:
        if not seen.finished:
            frame.close_page(lab)
        return
    with head:
        frame.headline("Transfer", _lead(scenario, results, images, names))
    chosen = results.get(cell.aim)
    frame.tell(lab, **{aim: partial(lesson_facts.transferred, result, images, names)
                       for aim, result in results.items()})
    if chosen is not None and transfers.is_there(chosen, cell.threat, cell.victim):
        frame.tell(lab, noise=lambda: lesson_facts.beside_noise(transfers.cell_of(chosen, cell.threat, cell.victim),
                                                                images, WORDS | names),
                   together=lambda: lesson_facts.together(chosen, cell.victim, images, names))
    with right, st.container(key="transfer_cell", gap="small"):
        _opened(scenario, lab.pictures, chosen, cell, images, names)
    if not seen.finished:
        frame.close_page(lab)
        return
    scenario = growing.as_far_as(scenario, seen)
    frame.close_page(
        lab,
        code=_code(scenario, results, images),
        tables={f"{aim} {what}": table for aim, result in results.items() for what, table in
                (("table", result.table(images)), ("numbers", result.frame()))},
        figures={aim: (figures.transfer_figure(result, images, names=names),
                       f"Transfer between {', '.join(names.values())} · {DATASETS[lab.data].title} · "
                       f"n = {scenario.n} · {how(result.settings)}, aimed at {aimed(scenario, aim)[0]} · "
                       f"ε = {eps_said(scenario.eps, number=True)}") for aim, result in results.items()},
    )


def _kept() -> Filter:
    """The control “Count images that”."""
    chosen: str = st.segmented_control(
        "Count images that", list(KEPT), default=next(iter(KEPT)), required=True, key="transfer_kept",
        wrap=True, bind="query-params", help="An image that the other system misclassified before the attack says "
        "nothing about transfer; the paper counts it nevertheless.",
    )
    return KEPT[chosen]


def _choose(lab: Lab, scenario: Scenario, objectives: tuple[str, ...]) -> Cell:
    """Draw the controls of the cell, which are URL parameters; a click on a matrix sets them, too."""
    victims = menus.named(lab.key(name) for name in scenario.systems)
    threats = victims | ({OTHERS: WORDS[OTHERS]} if len(victims) > 2 else {})
    aims = {aim: aimed(scenario, aim)[0] for aim in objectives}
    aim = menus.one(st.selectbox, "Aimed at", aims, objectives[0], key="transfer_aim")
    with st.container(horizontal=max(map(len, threats.values())) <= SHORT):
        threat = menus.one(st.selectbox, "Found against", threats, next(iter(threats)), key="transfer_threat")
        victim = menus.one(st.selectbox, "Shown to", victims, list(victims)[-1], key="transfer_victim")
    return Cell(aim=aim, threat=lab.systems.get(threat, threat), victim=lab.systems[victim])


def _asked(results: dict[str, TransferResult], names: dict[str, str]) -> tuple[str, str]:
    """Threat and victim of the first guess: the threat whose images moved least, and another system."""
    threats = next(iter(results.values())).threats
    least = max(threats, key=lambda name: threats[name].unmoved.value)
    return least, next(name for name in names if name != least)


def _judge(guess: frame.Guess, result: TransferResult, images: Filter, threat: str, victim: str) -> None:
    """Draw the verdict on the first guess."""
    if transfers.is_there(result, threat, victim) and (rate := result.cells[threat, victim].rate(images)).n:
        guess.verdict(GUESSES[0 if rate.value < 1 / 6 else 1 if rate.value <= 0.5 else 2], percent(rate))


def _heading(scenario: Scenario, objective: str) -> str:
    return scenario.attack if scenario.kind.fixed_aim else f"Aimed at {aimed(scenario, objective)[0]}"


def _matrix(
    lab: Lab, scenario: Scenario, objective: str, matrices: dict[str, Matrix], images: Filter, names: dict[str, str],
    cell: Cell, results: dict[str, TransferResult],
) -> None:
    """Draw one matrix with its heading and its conditions; its result is added to ``results``."""
    aim = _heading(scenario, objective)
    matrix = matrices.get(objective)
    if matrix is None:
        st.info(f"{aim}: {growing.PENDING}")
        return
    st.html(f'<div class="lab-aim"><h2>{aim}</h2></div>')
    for sentence in matrix.troubles:
        st.info(in_markdown(sentence))
    if matrix.result is None:
        return
    results[objective] = result = matrix.result
    transfer_grid(
        result, images, names=names, caption=f"{aim}. {describe_transfer(result, images, names=names)}",
        selected=(cell.threat, cell.victim) if cell.aim == objective else None, key=f"transfer_grid_{objective}",
        on_pick=_pick(lab, objective),
    )
    masked = [names[name] for name, threat in result.threats.items() if threat.masked]
    frame.badge(n=len(next(iter(result.threats.values())).images), aim=aimed(scenario, objective)[0],
                how=f"{how(result.settings)}, ε = {eps_said(scenario.eps, number=True)}", help=HELP["n"],
                verdict=f"{' and '.join(masked)} masked, as the attack had no gradient to follow" if masked else None)


def _opened(scenario: Scenario, test: ImageSet, result: TransferResult | None, chosen: Cell, images: Filter,
            names: dict[str, str]) -> None:
    """Draw the images of the chosen cell."""
    called, threat, victim = WORDS | names, chosen.threat, chosen.victim
    if result is None or victim not in result.victims or not transfers.is_there(result, threat, victim):
        st.info("This cell is empty: that system was not attacked. Choose another.")
        return
    cell = transfers.cell_of(result, threat, victim)
    kept = cell.kept(images)
    own = " (its own attack)" if threat == victim else ""
    st.html(
        f'<div class="lab-page"><h2 style="padding:0;margin:0;font-size:1.4rem">{_linked(threat, called)} → '
        f"{_linked(victim, called)}{own}</h2><p style='margin:0'><b>{counted(cell.rate(images))}</b> fool "
        f"{html.escape(called[victim])}. Noise of the same size: {percent(cell.noise(images))}. "
        f"Not changed by the attack: {percent(cell.still(images))}.</p></div>"
    )
    show = st.segmented_control("Show the images", SHOW, default=SHOW[0], required=True, key="transfer_which",
                                bind="query-params")
    selected = kept & (cell.fooled if show == SHOW[0] else ~cell.fooled)
    indices = [int(i) for i in selected.nonzero().flatten()]
    if not indices:
        st.info("There is no image to show. "
                + ("No image that counts fools it." if show == SHOW[0] else "All images that count fool it."))
        return
    st.caption(f"{min(SHOWN, len(indices))} of {len(indices)}: before, after, and what {called[victim]} reads. "
               "A click opens the attack lab.")
    st.html(transfers.gallery(scenario, test, cell, indices[:SHOWN]))


def _linked(name: str, called: dict[str, str]) -> str:
    """A system's name as a link to its page; the names of rows that are no system as they are. HTML."""
    return html.escape(called[name]) if name in WORDS else linked(name, called[name])


def _pick(lab: Lab, objective: str) -> Callable[[str, str], None]:
    """The callback for a click on a matrix, which chooses the cell."""

    def pick(threat: str, victim: str) -> None:
        st.session_state.update({"transfer_aim": objective, "transfer_threat": lab.key(threat),
                                 "transfer_victim": lab.key(victim)})

    return pick


def _lead(scenario: Scenario, by_objective: dict[str, TransferResult], images: Filter, names: dict[str, str]) -> str:
    """What the matrices show, one sentence each; HTML."""
    sentences = []
    for objective, result in by_objective.items():
        rates = {pair: cell.rate(images) for pair, cell in result.cells.items() if pair[0] != pair[1]}
        rates = {pair: rate for pair, rate in rates.items() if rate.n}
        masked = [threat for threat in result.threats.values() if threat.masked]
        if not rates:
            continue
        aim = _heading(scenario, objective)
        if masked:
            stillest = max(masked, key=lambda threat: threat.unmoved.value)
            most = max((rate.value for pair, rate in rates.items() if pair[0] == stillest.name), default=0.0)
            reach = f"at most <b>{100 * most:.0f} %</b> of the time" if most > 0.005 else "<b>never</b>"
            sentences.append(f"{aim}, the images found against {names[stillest.name]} fool another system "
                             f"{reach}: <b>{percent(stillest.unmoved)} of them were not changed at all</b>.")
            continue
        (threat, victim), rate = max(rates.items(), key=lambda item: item[1].value)
        followed = ", every attack had a gradient to follow" if scenario.kind.uses_gradients else ""
        sentences.append(f"{aim}{followed}: the images found "
                         f"against {names[threat]} fool {names[victim]} <b>{percent(rate)}</b> of the time.")
    return " ".join(sentences) or "No image counts here: a system misclassifies them all."


def _code(scenario: Scenario, results: dict[str, TransferResult], images: Filter) -> str:
    """Python that makes these matrices with the library alone."""
    arguments = dataclasses.replace(scenario, target=None).arguments()
    victims = next(iter(results.values())).victims
    limited = any(list(result.threats) != victims for result in results.values())
    lines = [
        "from tasklab import data, figures, zoo",
        *import_lines(scenario.kind),
        "from tasklab.evaluation import transfer",
        "",
        f'test = data.load("{scenario.data}", "test").subset({scenario.n})  # the first of them',
        f"systems = {{name: zoo.load(name) for name in {_list(victims)}}}",
        "",
        "tables = {}",
    ]
    if limited:
        each = ", ".join(f'("{aim}", {_list(list(result.threats))})' for aim, result in results.items())
        lines += [f"for objective, names in [{each}]:", "    threats = {name: systems[name] for name in names}"]
    else:
        lines += [f"for objective in {_list(list(results))}:", "    threats = systems"]
    return "\n".join([
        *lines,
        f"    settings = {scenario.attack}({arguments})",
        "    result = transfer(threats, systems, test.x(), test.labels, settings)",
        f'    tables[objective] = result.table("{images}")',
        "    print(objective, tables[objective].to_string(index=False), sep=\"\\n\")",
        f'    figure = figures.transfer_figure(result, "{images}")  # figure.show() opens it',
    ])


def _list(words: list[str]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"


page()
