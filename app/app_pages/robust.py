"""The page “Is it really robust?”: one claimed accuracy under attack, and the checks on how it was measured."""

from __future__ import annotations

import html
import statistics
from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from lab_ui.basics.lab import Lab
from lab_ui.basics.words import AIMS as AIM_WORDS
from lab_ui.basics.words import subject, title
from lab_ui.parts.charts import plot
from lab_ui.results import lesson_facts, reports
from lab_ui.results.reports import CURVE_NOTES, CURVES
from lab_ui.shell import controls, frame, menus
from lab_ui.visitor import catalogue, identity, jobs, own_systems
from tasklab import figures
from tasklab.data import DATASETS
from tasklab.data.radii import eps_said
from tasklab.evaluation.report import Report
from tasklab.evaluation.statistics import Share, mcnemar
from tasklab.figures.report import describe_curves
from tasklab.text import in_markdown, unbroken

URL: Final = "query-params"
AIMS = {"training loss": "train", "margin": "margin"}
"""The two objectives of the attack by the names that the control and the URL parameter have."""

TITLES = {"train": "its training loss", "margin": "the decision margin"}
GUESSES = ("about as many", "about half of them", "hardly any")
FIRST, ALL = (CURVES["train"], CURVES["noise"]), tuple(CURVES[c] for c in ("train", "margin", "noise", "worst"))
"""Names of the curves that are on before and after the first guess."""

NS = (50, 100, 200, 400)
TIMES = {"digits": "about a minute for 50 images", "mnist": "some minutes for 50 images",
         "cifar10": "some minutes for 50 images, half an hour for EfficientNet",
         "cifar100": "some minutes for 50 images"}

def page() -> None:
    """Draw one system's curves, its claims and their checks, the smallest ε of each image, and the downloads."""
    lab = frame.open_page("robust", bar=("data",), needs_images=False)
    st.html(reports.STYLE)
    if not lab.systems:
        st.info(f"There is no trained system for these images here. Choose another data set {lab.controls}.")
        return
    head = st.container()
    bar = st.container(horizontal=True, vertical_alignment="bottom")
    with bar:
        key = _system(lab)
        controls.about((lab.systems[key],), lab.systems)
    name = lab.systems[key]
    asked = jobs.mine("report")
    report, origin = reports.report_of(name, asked)
    if report is None:
        with head:
            frame.headline("Is it really robust?", f"The robustness of <b>{html.escape(title(key))}</b> has not been "
                                                   "measured yet.")
        _measure(lab, name, "No report came with this system. The button makes its curves and their checks")
        return
    guess = _guess(key, report)
    shown = guess.shown
    with head:
        frame.headline("Is it really robust?", _lead(key, report, shown))
    aim = _claims(bar, report) if shown else "train"
    chosen = _switches(report) if shown else FIRST
    left, right = st.columns([6, 5], gap="medium") if shown else (st.container(), None)
    frame.tell(lab, noise=lambda: lesson_facts.noise(report), zero=lambda: lesson_facts.zero(report),
               claims=lambda: lesson_facts.claims(report), worst=lambda: lesson_facts.worst(report, key))
    with left:
        figure = _curves(key, report, chosen, shown)
    drawn = {"curves": figure}
    if right is not None:
        with right, st.container(key="robust_checks", gap="small"):
            _checks(report, aim)
        with st.container(key="robust_pictures", gap="small"):
            drawn |= _pictures(lab, key, report, asked)
        drawn["checks"] = figures.check_lights(report.assessments[aim])
        with st.expander("All numbers"):
            st.dataframe(reports.table_of(report), hide_index=True, width="stretch")
        _measure(lab, name, f"This report on {report.n} images was made "
                 + ("for you." if origin == "yours" else "before the system was shipped.") + " The button repeats it")
    frame.close_page(lab, code=_code(name, report), tables={"report": reports.table_of(report)} if shown else None,
                     figures={what: (figure, f"{title(key)}: {_what(what, report, aim)} · {DATASETS[lab.data].title} · "
                                      f"n = {report.n}") for what, figure in drawn.items()})


def _what(figure: str, report: Report, aim: str) -> str:
    """What a figure shows, with attack and ε, for its title in a file."""
    usual = f"ε = {eps_said(report.claim_eps)}"
    return {
        "curves": f"accuracy under PGD and other attacks, ε up to {eps_said(max(report.eps))}; dotted: {usual}",
        "smallest": f"the smallest ε found by PGD, image by image; the claim is of {usual}",
        "checks": f"checks on PGD aimed at {AIM_WORDS[aim]}, {usual}",
    }[figure]


def _system(lab: Lab) -> str:
    """The control “System”: the short name of the system."""
    keys = list(lab.systems)
    own = own_systems.files(lab.data)
    came_with = [key for key in st.session_state.get("systems") or () if lab.systems.get(key) in own]
    usual = came_with[0] if came_with else "rbc" if "rbc" in keys else keys[0]
    return menus.one(st.selectbox, "System", menus.named(keys), usual, key="robust_system", width=320)


def _lead(key: str, report: Report, shown: bool) -> str:
    """The claim and, once shown, the worst case found; HTML."""
    clean, kept = (100 * row.accuracy.value for row in (report.clean, report.claim("train")))
    eps = unbroken(f"ε = {eps_said(report.claim_eps)}")
    words = (f"{html.escape(subject(key))} classifies <b>{clean:.0f} %</b> of the images correctly. Under the "
             f"attack used in the paper, at {eps}, it still classifies <b>{kept:.0f} %</b> correctly.")
    if shown:
        words += f" In the worst case found, <b>{100 * report.worst.accuracy.value:.0f} %</b>."
    return words


def _guess(key: str, report: Report) -> frame.Guess:
    """Ask for the first guess, and judge it; a link to something that the question hides reveals it."""
    asked = st.query_params.get_all("robust_curves")
    if st.query_params.get("robust_aim") == "margin" or set(asked) - set(FIRST):
        st.session_state["robust_revealed"] = True
    guess = frame.predict(
        "robust", f"The same attack, on the same {report.n} images, now aims at the decision instead of the training "
        f"loss. How many will {title(key)} still classify correctly?", GUESSES,
    )
    own, margin = (report.claim(objective).accuracy.value for objective in TITLES)
    share = margin / own if own else 1.0
    guess.verdict(GUESSES[0 if share > 0.75 else 1 if share > 0.25 else 2],
                  f"{100 * margin:.0f} % instead of {100 * own:.0f} %")
    return guess


def _claims(bar: Any, report: Report) -> str:
    """Draw both claims with their conditions; the objective whose checks are shown."""
    with bar:
        aim = AIMS[st.segmented_control(
            "The attack aims at", list(AIMS), default="training loss", required=True, key="robust_aim", bind=URL,
            help="Which of the two attacks the checks are about. The attacks differ in nothing but their aim.",
        )]
    words = {
        "train": "left by the attack used in the paper, aimed at the system's own training loss",
        "margin": "left by the same kind of attack, aimed at the decision",
    }
    for column, objective in zip(st.columns(2, gap="small"), TITLES, strict=True):
        row, verdict = report.claim(objective), report.assessments[objective].verdict
        with column:
            st.html(reports.claim(f"Aimed at {TITLES[objective]}", row, verdict, words[objective],
                                  is_open=objective == aim))
            frame.badge(**reports.badge_of(row, verdict))
    return aim


def _switches(report: Report) -> tuple[str, ...]:
    """The control “Curves”: names of the curves that are on."""
    measured = report.curves()
    names = [words for curve, words in CURVES.items() if curve in measured]
    usual = [words for words in ALL if words in names]
    if not set(st.session_state.get("robust_curves", usual)) <= set(names):
        st.session_state["robust_curves"] = usual
    chosen = st.pills("Curves", names, selection_mode="multi", default=usual, key="robust_curves", bind=URL,
                      help="\n".join(f"- **{CURVES[curve]}**: {note}" for curve, note in CURVE_NOTES.items()))
    return tuple(chosen)


def _curves(key: str, report: Report, chosen: tuple[str, ...], shown: bool) -> Any:
    """Draw accuracy against ε for the chosen curves; the figure."""
    measured = report.curves()
    curves = {curve: measured[curve] for curve, words in CURVES.items() if words in chosen and curve in measured}
    if not curves:
        st.info("Switch at least one curve on; here is the first.")
        curves = {"train": measured["train"]}
    figure = figures.accuracy_curves(
        curves, zeros=report.zero_gradients() if shown else None, names=CURVES, marks={"": report.claim_eps},
        up="classified correctly, %", height=480 if shown else 360,
    )
    words = describe_curves(curves, names=CURVES)
    plot(figure, key="robust_chart", alt=f"{title(key)}. {words}")
    below = " Below: for how many correct images the gradient was exactly 0." if shown else ""
    st.caption(f"n = {report.n} images, bands: 95 % intervals, dotted: ε = {eps_said(report.claim_eps)}. All "
               "lines are upper bounds: a stronger attack may leave less." + below)
    return figure


def _checks(report: Report, aim: str) -> None:
    """Draw the sentence and the checks on one claim."""
    assessment = report.assessments[aim]
    st.html(f'<div class="lab-aim"><h2>What {100 * assessment.accuracy.value:.0f} % means</h2></div>'
            f'<p class="lab-note">{html.escape(assessment.sentence)}</p>'
            + reports.lights(assessment, report.tests.get(aim)))


def _pictures(lab: Lab, key: str, report: Report, asked: Sequence[jobs.JobView]) -> dict[str, Any]:
    """Draw the smallest ε found for each image, beside another system's, and whether they differ.

    Returns:
        Name to figure, for the downloads.
    """
    st.html('<div class="lab-aim"><h2>Image by image</h2><p>For each image, the smallest ε at which an '
            "attack succeeded. No single ε has to be chosen.</p></div>")
    others = {other: beside for other, name in lab.systems.items() if other != key
              and (beside := reports.report_of(name, asked)[0]) is not None and beside.n == report.n}
    stairs = {title(key): report.distances}
    other_key = None
    if others:
        usual = next((other for other in ("tra-at", "tra") if other in others), next(iter(others)))
        other_key = menus.one(st.selectbox, "Compare with", menus.named(others), usual, key="robust_with", width=320)
        stairs[title(other_key)] = others[other_key].distances
    figure = figures.distance_curves(stairs, most=DATASETS[lab.data].radii.most)
    fine = DATASETS[lab.data].radii.per > 100
    words = ", ".join(f"{name}: half of the images are fooled within ε = {_median(values, fine=fine)}"
                      for name, values in stairs.items())
    plot(figure, key="robust_stairs", alt=f"Smallest ε found. {words}.")
    st.caption(f"{words}. n = {report.n} images, PGD on each condition in turn at growing ε, then moved back to "
               "the boundary. These are upper bounds on the smallest ε.")
    if other_key is not None:
        st.html(f'<p class="lab-note">{_paired(key, other_key, report, others[other_key])}</p>')
    return {"smallest": figure}


def _paired(key: str, other: str, report: Report, beside: Report) -> str:
    """Whether two systems differ at the ε of the claim, on the same images; HTML."""
    eps = report.claim_eps
    a, b = report.beyond(eps), beside.beyond(eps)
    p = mcnemar(a, b)
    verdict = ("more than chance explains" if p < 0.01 else "which may be chance alone" if p > 0.05
               else "hardly more than chance explains")
    first, second = (f"<b>{html.escape(title(name))}</b>" for name in (key, other))
    numbers = " and ".join(f"on {Share(int(stand.sum()), len(stand)).percent(0)} % of them against {name}"
                           for name, stand in ((first, a), (second, b)))
    return (f"Both systems were attacked on the same {len(a)} images. Within {unbroken(f'ε = {eps_said(eps)}')}, no "
            f"attack succeeded {unbroken(numbers)}. "
            f"{_pictures_where(int((a & ~b).sum()))} only {first} stayed correct, and "
            f"{_pictures_where(int((b & ~a).sum())).lower()} only {second}: {verdict} (McNemar's test, "
            f"p {_p_value(p)}).")


def _pictures_where(count: int) -> str:
    """How many images, as the beginning of a sentence."""
    return "On no image" if not count else f"On {count} image{'s' * (count > 1)}"


def _median(distances: Sequence[float], *, fine: bool) -> str:
    """The ε within which half of the images fall."""
    half = statistics.median_high(distances)
    return f"{255 * half:.2g}/255" if fine and 0 < half < 1 else f"{half:.3g}"


def _p_value(p: float) -> str:
    """A p-value as text, beginning with its sign."""
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"


def _measure(lab: Lab, name: str, words: str) -> None:
    """Draw the form that starts a report job, and the boxes of such jobs."""
    if jobs.mine("report"):
        identity.remember()
    jobs.watch(lambda: jobs.boxes("report"), "report", key="robust")
    if lab.lecture:
        return
    if lab.images is None:  # reports can be read without the images, but not made
        catalogue.offer_download(lab.data)
        return
    with st.form("robust_again", border=True):
        st.markdown(f"**Measure it yourself.** {words}, as a job: {TIMES[lab.data]}.")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            n = st.selectbox("Images", [n for n in NS if n <= len(lab.pictures)],
                             0 if DATASETS[lab.data].shape[0] == 3 else 1, key="robust_n", width=140)
            seed = st.number_input("Seed", 0, 9999, 1, key="robust_seed", width=140)
            asked = st.form_submit_button("Measure", type="primary")
    if asked:
        try:
            jobs.start("report", reports.settings_of(lab.data, name, int(n), int(seed)))
        except ValueError as error:
            st.error(in_markdown(error))
            return
        st.rerun()


def _code(name: str, report: Report) -> str:
    """Python that measures the two claims with the library alone."""
    own = name not in _shipped()
    load = f'System.load("{name}.safetensors")  # downloaded from the page “Train”' if own else f'zoo.load("{name}")'
    eps = eps_said(report.claim_eps)
    return "\n".join([
        "from tasklab import data, zoo" if not own else "from tasklab import System, data",
        "from tasklab.attacks.presets import curve_attack",
        "from tasklab.evaluation import evaluate, stream_assessment",
        "",
        f"system = {load}",
        f'test = data.load("{report.data}", "test").subset({report.n})',
        f'own, margin = (curve_attack(aim, {eps}, seed={report.seed}) for aim in ("train", "margin"))',
        "rows = evaluate(system, test, [own, margin])",
        "for row in rows:",
        "    print(row.attack, row.objective, row.outcomes.accuracy, row.zero_gradient)",
        "",
        "*_, assessment = stream_assessment(system, test, own, queries=100, known=rows)  # and the checks",
        "print(assessment.to_markdown())",
    ])


def _shipped() -> tuple[str, ...]:
    from tasklab import zoo

    return zoo.names()


page()
