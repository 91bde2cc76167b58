"""The page “Train”: two training runs side by side, the effect of S, and the visitor's own systems."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import streamlit as st

from lab_ui.basics.lab import Lab
from lab_ui.basics.refusal import Refused
from lab_ui.panels import training_controls, training_runs
from lab_ui.panels.training_runs import RunView
from lab_ui.parts.charts import plot
from lab_ui.results import lesson_facts
from lab_ui.shell import address, frame
from lab_ui.visitor import catalogue, identity, jobs, limits, own_systems, uploads
from tasklab.data import DATASETS
from tasklab.data.radii import eps_said
from tasklab.evaluation.cards import figure
from tasklab.figures.style import BLUE, GREY, ORANGE
from tasklab.figures.training import ZERO, describe_sweep, describe_training, sweep_figure, training_figure
from tasklab.jobs.training import Training
from tasklab.text import in_html, in_markdown

FIRST = {"digits": ("digits-tra", "digits-rbc"), "mnist": ("mnist-tra-short", "mnist-rbc-short"),
         "cifar10": ("cifar10-tra-short", "cifar10-rbc-short"),
         "cifar100": ("cifar100-tra-short", "cifar100-rbc-short")}
SWEEP = (1.0, 10.0, 100.0, 350.0)
LAYERS = ("scaled", "paper")
SIDES = ("left", "right")
FACTS = {
    "clean": {"accuracy": "{} of the validation images are classified correctly without an attack"},
    "zero": {ZERO: "the gradient is exactly 0 for {} of the validation images classified correctly",
             "own_loss_accuracy": "an attack on the training loss leaves {}"},
    "attacked": {"own_loss_accuracy": "an attack on the training loss leaves {} of the validation images classified "
                                      "correctly", "robust_accuracy": "an attack on the decision leaves {}"},
}
"""What the lesson says of both runs: name of a fact to fields of their last epochs, with what each says."""

GUESSES = ("it grows with S", "it stays as it is", "it depends on the attack")
KEY = (
    '<p class="lab-key">Validation images classified correctly, after each epoch: '
    f'<span><span style="color:{BLUE}">●━</span> no attack</span>'
    f'<span><span style="color:{ORANGE}">✖╌</span> attack on the decision</span>'
    f'<span><span style="color:{GREY}">□┈</span> attack on the training loss</span>'
    f'<span><span style="color:{GREY}">▒</span> gradient of the training loss exactly 0</span></p>'
)
"""The legend of both charts, as HTML."""
URL: Final = "query-params"

SHOWN = 3
"""Number of own systems that are always shown; further ones are in an expander."""


def page() -> None:
    """Draw the bar that starts a training run, the own systems, two runs, the sweep over S, and the downloads.

    Parts that appear and disappear have a container of their own: the parts below them would otherwise move, and be
    seen twice while the page runs.
    """
    lab = frame.open_page("train", bar=("data", "seed"))
    training = _controls(lab)
    everything = training_runs.recorded_runs(lab.data) | training_runs.own_runs(lab.data)
    head = st.container()
    with st.container():
        if training is not None and not lab.lecture:
            _start_bar(lab, training)
            jobs.watch(lambda: jobs.boxes("train"), "train", key="train boxes")
        _systems(lab)
    with st.container(key="train_runs", gap="small"):
        st.html(KEY)
        left, right = (_side(lab, side, column, everything) for side, column in zip(SIDES, st.columns(2), strict=True))
    last = [(side, run.epochs[-1]) for side, key in zip(SIDES, (left, right), strict=True)
            if (run := everything.get(key)) and run.epochs]
    frame.tell(lab, **{fact: partial(lesson_facts.trained, last, fields) for fact, fields in FACTS.items()})
    with head:
        frame.headline("Train", _headline(everything.get(right)))
    with st.container():
        _sweep(lab, training, everything)
    if not lab.lecture:
        _upload()
    pair = [everything[key] for key in (left, right) if key in everything]
    frame.close_page(
        lab, code=(pair[-1].training if pair else training or Training()).to_code(),
        tables={run.key: _table(run) for run in pair if run.epochs},
        figures={run.key: (training_figure(run.epochs, total=run.total), _figure_title(lab, run))
                 for run in pair if run.epochs},
    )
    identity.remember()


def _figure_title(lab: Lab, run: RunView) -> str:
    """The title of a run's figure in a file."""
    watch, n = run.training.watch, run.training.n or DATASETS[lab.data].sizes[0]
    attacks = "" if watch is None else (
        f" · under PGD, {watch.steps} steps, n = {watch.images}, ε = {eps_said(watch.eps, number=True)}")
    return f"{run.title} · {DATASETS[lab.data].title}, {n:,} training images{attacks}"


def _controls(lab: Lab) -> Training | None:
    with st.sidebar:
        try:
            return training_controls.controls(lab.data, lab.seed)
        except ValueError as error:
            st.error(f"{in_markdown(error)}.")
            return None


def _start_bar(lab: Lab, training: Training) -> None:
    """Draw a summary of the training, the field for its name, and the button that starts it."""
    parts = filter(None, (training_controls.described(training), training_controls.takes(training)))
    with st.container(border=True, key="train_bar"), st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Train your own.** {', '.join(parts)}.", width="stretch")
        name = st.text_input("Name", key="train_name", max_chars=30, placeholder=training_controls.short_name(training),
                             label_visibility="collapsed", width=200)
        st.button("▶ Train", type="primary", key="train_start", on_click=_start, args=(training, name),
                  help="Digits take seconds, MNIST and CIFAR minutes, with all images up to hours. The page stays "
                  "usable, and what is trained here can be attacked on every other page.")
    if refusal := st.session_state.pop("_train_refused", None):
        st.warning(in_markdown(refusal))


def _start(training: Training, name: str | None) -> None:
    """Queue the training, and select its run on the right."""
    if (started := _queue(training, name or training_controls.short_name(training))) is not None:
        st.session_state["train_right"] = started


def _start_sweep(training: Training) -> None:
    """Queue a training run for each S of `SWEEP`, with the same settings otherwise."""
    for size in SWEEP:
        settings = training.to_dict()
        settings["task"] = {"task": "rbc", "num_classes": training.task.num_classes, "S": size,
                        "parametrisation": training.task.parametrisation}
        settings["recipe"] |= {"inset": 0.0}
        if (started := _queue(Training.from_dict(settings), f"sweep-s{size:g}")) is None:
            return
        st.session_state["train_right"] = started


def _queue(training: Training, name: str) -> str | None:
    """Queue a training run; the id of its job, or None where it was refused, which the bar then says."""
    taken = {str(view.settings["name"]) for view in jobs.mine("train")}
    settings = training.to_dict() | {"name": own_systems.free_name(training.data, name, taken)}
    try:
        return jobs.start("train", settings)
    except ValueError as error:
        st.session_state["_train_refused"] = str(error)
        return None


def _side(lab: Lab, side: str, column: Any, everything: dict[str, RunView]) -> str:
    """Draw one side of the comparison: the choice of a run, and its curves, each second anew while it goes on.

    Returns:
        The key of the run.
    """
    with column:
        key = _choice(lab.data, side, everything)
        run = everything.get(key)
        if run is not None and run.state in jobs.ACTIVE:
            jobs.watch(lambda: _run(training_runs.own_runs(lab.data).get(key, run), side), "train", key=f"train {side}")
        elif run is not None:
            _run(run, side)
    return key


def _choice(dataset: str, side: str, everything: dict[str, RunView]) -> str:
    """Draw the choice of a run for one side; its key.

    A lesson, or a training run that was just started, requests a run by the session-state key ``train_SIDE``, a link by
    URL parameter of that name. The select box then gets a new widget key, because one whose value is set while the page
    is being polled may lose it again.
    """
    first, name, keys = FIRST[dataset][SIDES.index(side)], f"train_{side}", list(everything)
    if address.is_new(name):
        st.session_state[f"_{name}_in_link"] = address.text(name)
    count, selected = st.session_state.get(f"_{name}", (0, first))
    requested, in_link = st.session_state.pop(name, None), st.session_state.get(f"_{name}_in_link")
    if requested is not None or in_link in everything:
        requested = requested or in_link
        in_link = st.session_state[f"_{name}_in_link"] = None
    if requested in everything:
        count, selected = count + 1, requested
    elif selected not in everything and first in everything:
        count, selected = count + 1, first
    st.session_state[f"_{name}"] = count, selected
    index = keys.index(selected) if selected in keys else 0
    chosen = st.selectbox(f"On the {side}", keys, index, key=f"{name}_{count}",
                          format_func=lambda key: everything[key].title, persist_state="session")
    if chosen != selected:
        in_link = st.session_state[f"_{name}_in_link"] = None
    if in_link:
        st.caption("The training run that the link names is neither among the recorded ones nor among yours.")
    address.write(name, in_link or (str(chosen) if chosen in everything and chosen != first else None))
    return str(chosen)


def _run(run: RunView, side: str) -> None:
    """Draw one run: its curves and their conditions."""
    watch, recorded = run.training.watch, "recorded earlier · " * (run.state == "recorded")
    chart = training_figure(run.epochs, total=run.total, steps=run.steps, legend=False, height=340)
    plot(chart, key=f"run {side}", alt=f"{run.title}. {describe_training(run.epochs)}")
    if watch is not None and run.epochs and run.epochs[-1].get("robust_accuracy") is not None:
        frame.badge(n=watch.images, aim="the training loss and at the decision margin", zero=run.epochs[-1].get(ZERO),
                    how=f"{recorded}PGD, {watch.steps} steps, 1 start, ε = {eps_said(watch.eps, number=True)}",
                    help="Of the validation set, after the last epoch shown. Upper bounds: a stronger attack may leave "
                    "less.")
    elif not run.epochs:
        st.caption("The first epoch is on its way …" if run.state in jobs.ACTIVE else "No epoch was finished.")
    if run.key in catalogue.systems(run.training.data)[0].values():  # below, so that both charts begin at one height
        st.page_link("app_pages/systems.py", label=f"The page on {run.title}", query_params={"system": run.key})


def _headline(run: RunView | None) -> str:
    """What two attacks leave of a run's accuracy; HTML."""
    last = run.epochs[-1] if run is not None and run.epochs else {}
    if run is None or last.get("robust_accuracy") is None or last.get(ZERO) is None:
        return "Train a system, and watch what two attacks leave of it: one on its training loss, one on its decision."
    watch = run.training.watch
    images = f"{watch.images} validation images" if watch is not None else "the validation images"
    left = f"leaves <b>{100 * last['own_loss_accuracy']:.0f} %</b> of {images}"
    sentence = f"{in_html(run.title, 80)} after epoch {last['epoch']}: an attack on the training loss {left}"
    if last[ZERO] > 0.01:
        sentence += f", and has no gradient at all for <b>{100 * last[ZERO]:.0f} %</b> of those classified correctly"
    return f"{sentence}. Aimed at the decision, the same attack leaves <b>{100 * last['robust_accuracy']:.0f} %</b>."


def _systems(lab: Lab) -> None:
    """Draw the visitor's own systems, with buttons to attack, download and remove them."""
    systems = list(reversed(own_systems.files(lab.data).items()))
    if not systems or lab.lecture:
        return
    with st.container(border=True, key="train_systems"):
        for name, _ in systems[:SHOWN]:
            _system(lab, name)
        if len(systems) > SHOWN:
            with st.expander(f"{len(systems) - SHOWN} more"):
                for name, _ in systems[SHOWN:]:
                    _system(lab, name)


def _system(lab: Lab, name: str) -> None:
    """Draw one of the own systems; one whose file cannot be read can still be removed."""
    key = name.removeprefix(f"{lab.data}-")
    with st.container(horizontal=True, vertical_alignment="center"):
        try:
            file, card = catalogue.file(name), catalogue.card(name)
        except (ValueError, OSError) as error:
            st.markdown(f"**{in_markdown(key, 40)}** · cannot be read: {in_markdown(error, 200)}", width="stretch")
        else:
            eps = DATASETS[lab.data].radii.usual
            st.markdown(f"**{in_markdown(key, 40)}** · {_accuracies(card, eps)}", width="stretch")
            beside = str(card["task"]["task"])
            st.page_link("app_pages/systems.py", label="Its page", query_params={"system": name})
            st.button("Attack it", key=f"attack {name}", type="primary",
                      help="Opens the attack lab with it, beside a shipped system",
                      on_click=frame.leave_for, args=("attack_lab", {"systems": [beside, key]}))
            st.download_button("Download", file.read_bytes, f"{name}.safetensors", key=f"download {name}",
                               on_click="ignore", help="One file with its card. Bring it back here later, or put it "
                               "into the folder that TASKLAB_ZOO names.")
        st.button("Remove", key=f"forget {name}", on_click=_remove, args=(name,))


def _accuracies(card: dict[str, Any], eps: float) -> str:
    """A system's accuracies on the test set, without attack and under attack, in one line."""
    clean = figure(card, "clean")
    if clean is None:
        return "not measured"
    rows = [(words, row) for objective, words in (("train", "training loss"), ("margin", "decision"))
            if (row := figure(card, "pgd", objective, eps)) is not None]
    words = f"of {clean['n']:,} test images {100 * clean['accuracy']:.1f} % correct"
    if not rows:
        return words
    under = ", ".join(f"on the {words} {100 * row['accuracy']:.0f} %" for words, row in rows)
    return f"{words}; of {rows[0][1]['n']:,} under an attack {under} (ε = {eps_said(eps)})"


def _remove(name: str) -> None:
    """Remove one of the visitor's own systems, with its job if it was trained here."""
    file = own_systems.path(name)
    try:
        if file is not None and file.name == own_systems.RESULT:
            jobs.remove(file.parent.name)
            own_systems.remove_file(file)  # for a job whose folder cannot be read any more
        else:
            own_systems.remove_brought(name)
    except Refused as error:
        jobs.refuse(str(error))


def _sweep(lab: Lab, training: Training | None, everything: dict[str, RunView]) -> None:
    """Draw the effect of S, after a first guess: from the visitor's own sweep, or else the recorded one."""
    st.html('<div class="lab-aim"><h2>Does S matter?</h2><p>The same network, trained with a margin S of 1, 10, 100 '
            "and 350. The paper finds more accuracy and more robustness with a larger S.</p></div>")
    guess = frame.predict("train", "S grows from 1 to 350. What happens to the accuracy under attack?",
                          GUESSES)
    if not guess.shown:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        layer = st.segmented_control("Output layer", LAYERS, default="scaled", required=True, bind=URL,
                                     key="train_layer", help=training_controls.HELP["parametrisation"])
        radii = DATASETS[lab.data].radii
        eps_key = "train_sweep_eps" if radii.per <= 100 else f"train_sweep_eps_{lab.data}"
        eps = st.segmented_control("ε", radii.paper, default=radii.paper[1], required=True, format_func=eps_said,
                                   key=eps_key, bind=URL)
        if training is not None and not lab.lecture:
            st.button("Train this sweep yourself", key="train_sweep", on_click=_start_sweep, args=(training,),
                      help="Four training runs with the settings on the left, one for each S, one after another.")
    groups = [group for group in training_runs.sweeps(everything)
              if next(iter(group.values())).training.task.parametrisation == layer]
    groups.sort(key=lambda group: all(run.state == "recorded" for run in group.values()))
    points = {size: accuracies for size, run in (groups[0] if groups else {}).items()
              if (accuracies := run.at(eps)) is not None}
    if not points:
        way = lab.controls if lab.lecture else "with the button above"
        st.info(f"No such sweep is recorded for these images. Train one {way}.")
        return
    _judge(guess, points)
    source = "recorded" if all(run.state == "recorded" for run in groups[0].values()) else "your own"
    plot(sweep_figure(points), key="sweep", alt=describe_sweep(points))
    attacked = next(iter(groups[0].values())).training.attacked
    st.caption(f"The sweep is {source}. n = {attacked} test images, ε = {eps_said(eps)}, with the weights that each "
               "training run kept, while the curves above are of validation images after each epoch. "
               "On the training loss: PGD, 20 steps; on the decision: PGD, 40 steps. Upper bounds.")
    st.html(f'<p class="lab-note">{_conclusion(layer)}</p>')


def _judge(guess: frame.Guess, points: dict[float, dict[str, float | None]]) -> None:
    """Draw the verdict on the first guess."""
    ends = [points[size] for size in (min(points), max(points))]
    gains, parts = [], []
    for field, words in (("own_loss_accuracy", "on the loss"), ("robust_accuracy", "on the decision")):
        first, last = (end[field] or 0.0 for end in ends)
        gains.append(last - first > 0.1)
        parts.append(f"{100 * first:.0f} → {100 * last:.0f} % under an attack {words}")
    guess.verdict(GUESSES[0 if all(gains) else 2 if any(gains) else 1], ", ".join(parts))


def _conclusion(layer: str) -> str:
    """What the sweep shows, for an output layer that is scaled to S or one as in the paper; HTML."""
    if layer == "scaled":
        return ("<b>S is a unit of length.</b> With the output layer scaled to S the loss is S² times the same "
                "function for every S: what differs between these runs is rounding. The attack on the decision leaves "
                "the same accuracy, close to 0, for every S.")
    return ("<b>As published, S also acts as a learning rate.</b> Training reaches a large S late or never. Until then "
            "the loss keeps its gradient, and even the attack on the loss works; once S is reached, that attack finds "
            "no gradient. For an attack on the decision, S makes no difference.")


def _upload() -> None:
    """Draw the upload of a system's file."""
    with st.expander("Bring a system"):
        count = st.session_state.get("_brought", 0)
        file = st.file_uploader("A .safetensors file that was downloaded here, or saved by `System.save`",
                                 type=["safetensors"], key=f"train_upload_{count}",
                                 max_upload_size=limits.MAX_UPLOAD)
        if file is not None:
            taken = {str(view.settings["name"]) for view in jobs.mine("train")}
            try:
                name = own_systems.bring(uploads.content(file, limits.MAX_UPLOAD), file.name, taken)
                st.session_state["_said"] = f"“{name}” is now among your systems."
            except ValueError as error:
                st.session_state["_said"] = str(error)
            uploads.release(file)
            st.session_state["_brought"] = count + 1
            st.rerun()
        if message := st.session_state.pop("_said", None):
            (st.success if message.startswith("“") else st.error)(in_markdown(message))


def _table(run: RunView) -> Any:
    import pandas as pd

    return pd.DataFrame([{key: value for key, value in row.items() if key not in ("event", "message", "progress", "at")}
                         for row in run.epochs])


page()
