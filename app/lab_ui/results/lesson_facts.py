"""The facts of lessons: sentences on what a page shows, computed from the numbers that it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lab_ui.basics.words import AIMS, read, subject
from tasklab.codecs import ABNORMAL
from tasklab.data.radii import eps_said

if TYPE_CHECKING:  # pages that need none of these do not wait for them
    from tasklab.evaluation import TransferResult
    from tasklab.evaluation.counts import Outcomes
    from tasklab.evaluation.report import Report
    from tasklab.evaluation.transfer_result import Cell, Filter
    from tasklab.experiments.plane import PlaneTrajectory
    from tasklab.experiments.sweep import Sweep

    Sweeps = Mapping[tuple[str, str], Sweep]
    """Heading of a system and objective to what an attack on one image does at each ε."""


def listed(names: Sequence[str]) -> str:
    """Names as they are said in a sentence.

    >>> listed(["TRA"]), listed(["TRA", "INT", "RBC"])
    ('TRA', 'TRA, INT and RBC')
    """
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def percent(share: float) -> str:
    """A share from 0 to 1 as the pages write it.

    >>> percent(0.424)
    '42 %'
    """
    return f"{100 * share:.0f} %"


def counted(thing: str, *parts: tuple[int, str, str]) -> str:
    """How many of several things do what, as a sentence; a part that none of them does is left out.

    Args:
        thing: name of the things, in the plural.
        parts: a number, and what one of them does and what several do.

    >>> counted("systems", (3, "answers None", "answer None"), (1, "names a class", "name a class"))
    '3 of the 4 systems answer None, and 1 names a class.'
    >>> counted("images", (0, "stays", "stay"), (24, "ends in a gap", "end in a gap"))
    'All 24 images end in a gap.'
    """
    total, done = sum(number for number, *_ in parts), [part for part in parts if part[0]]
    (number, one, several), *rest = done
    if not rest and total > 1:
        return f"All {total} {thing} {several}."
    words = [f"{number} of the {total} {thing} {one if number == 1 else several}"]
    words += [f"{number} {one if number == 1 else several}" for number, one, several in rest]
    return f"{', '.join(words[:-1])}, and {words[-1]}." if rest else f"{words[0]}."


def own_loss(sweeps: Sweeps, eps: float) -> str:
    """Where an attack on the training loss has a gradient, and what it changes.

    Args:
        sweeps: of one image.
        eps: whose outcome counts; 0 for the largest that has been computed.
    """
    ends = {name: (sweep, sweep.at(eps) if eps else len(sweep.stops) - 1)
            for (name, aim), sweep in sweeps.items() if aim == "train"}
    if not ends:
        return ""
    flat = [name for name, (sweep, k) in ends.items() if sweep.zero_gradient[k]]
    lost = [name for name, (sweep, k) in ends.items() if sweep.fooled[k] and name not in flat]
    sentences = []
    if flat:
        sentences.append(f"For {listed(flat)} the gradient of this loss is exactly 0 here, so the attack changes "
                         "nothing.")
    else:
        sentences.append("Here the gradient of this loss is not 0 for any of the systems.")
    size = max(sweep.stops[k] for sweep, k in ends.values())
    if lost:
        sentences.append(f"At ε = {eps_said(size)} the attack breaks {listed(lost)}.")
    elif len(flat) < len(ends):
        sentences.append(f"At ε = {eps_said(size)} the attack still breaks none of the systems.")
    return " ".join(sentences)


def both(sweeps: Sweeps, eps: float) -> str:
    """How many systems each of the two attacks breaks."""
    counts = {aim: [bool(sweep.fooled[sweep.at(eps)]) for (_, each), sweep in sweeps.items() if each == aim]
              for aim in ("train", "margin")}
    if not all(counts.values()):
        return ""
    parts = [f"{sum(fooled)} of {len(fooled)} when it aims at {AIMS[aim]}" for aim, fooled in counts.items()]
    return f"At ε = {eps_said(eps)}, the attack breaks {' and '.join(parts)}."


def way(sweeps: Sweeps, names: Sequence[str]) -> str:
    """What one system reads, one after another, as ε grows."""
    for (name, aim), sweep in sweeps.items():
        if aim == "margin":
            labels = path(sweep.decoded.tolist(), names)
            return f"As ε grows from 0 to {eps_said(sweep.stops[-1])}, {name} reads {labels}."
    return ""


def path(decoded: Sequence[int], names: Sequence[str]) -> str:
    """Labels one after another, without repetitions.

    >>> path([3, 3, -1, 5], "0123456789")
    '3, then None, then 5'
    """
    kept = [label for i, label in enumerate(decoded) if i == 0 or label != decoded[i - 1]]
    return ", then ".join(read(label, names) for label in kept)


def evaded(sweeps: Sweeps, eps: float) -> str:
    """How many systems name another class, and how many answer None."""
    ends = [(sweep.label, int(sweep.decoded[sweep.at(eps)])) for (_, aim), sweep in sweeps.items() if aim == "margin"]
    if not ends:
        return ""
    wrong = sum(decoded not in (label, ABNORMAL) for label, decoded in ends)
    none = sum(decoded == ABNORMAL for _, decoded in ends)
    words = counted("systems", (wrong, "names another class", "name another class"),
                    (none, "answers None", "answer None"),
                    (len(ends) - wrong - none, "still names the right class", "still name the right class"))
    return f"{words.removesuffix('.')} at ε = {eps_said(eps)}."


def ground(paths: Sequence[PlaneTrajectory], name: str, names: Sequence[str]) -> str:
    """Where two attacks on one image of a system end: one on the training loss, one on the margin."""
    parts = [f"the one on {AIMS[path.objective]} "
             + ("has no gradient and stays where it is" if path.zero_gradient else f"ends at {read(path.end, names)}")
             for path in sorted(paths, key=lambda path: path.objective, reverse=True)]
    return f"Two attacks on {name} are drawn: {', and '.join(parts)}."


def noise(report: Report) -> str:
    """Whether noise or the attack on the training loss does more harm, at the largest ε that both were measured at."""
    rows = {curve: {row.eps: row for row in report.rows if row.curve == curve} for curve in ("train", "noise")}
    eps = max(rows["train"].keys() & rows["noise"].keys(), default=None)
    if eps is None:
        return ""
    attacked, noisy = (rows[curve][eps].accuracy.value for curve in ("train", "noise"))
    verdict = ("noise does more harm than the attack" if noisy < attacked - 0.02
               else "the attack does more harm" if attacked < noisy - 0.02 else "both do about the same harm")
    return (f"At ε = {eps_said(eps)}, the attack leaves {percent(attacked)} and noise leaves {percent(noisy)}: "
            f"{verdict}.")


def zero(report: Report) -> str:
    """How much of what the attack on the training loss leaves had no gradient."""
    row = report.claim("train")
    if row.zero_gradient is None:
        return ""
    left, flat = row.outcomes.correct, row.zero_gradient
    words = (f"At ε = {eps_said(report.claim_eps)}, the gradient was 0 for {flat} of the {row.n} images, and the "
             f"attack leaves {left} of the {row.n} classified correctly.")
    if not flat:
        return f"{words} So what it leaves is not explained by a missing gradient."
    if abs(left - flat) <= 0.05 * row.n:
        return f"{words} It leaves about as many images as gave it nothing to follow."
    return words


def claims(report: Report) -> str:
    """What both attacks leave."""
    own, margin = (report.claim(curve).accuracy.value for curve in ("train", "margin"))
    return (f"At ε = {eps_said(report.claim_eps)}, it leaves {percent(margin)} of the images classified correctly "
            f"instead of {percent(own)}.")


def worst(report: Report, key: str) -> str:
    """What a system keeps under the attack on the training loss, beside the worst case found.

    Args:
        report: on the system.
        key: its short name.
    """
    own, least = report.claim("train").accuracy.value, report.worst.accuracy.value
    return (f"At ε = {eps_said(report.claim_eps)}, {subject(key)} classifies {percent(own)} of the images correctly "
            f"under the attack on the training loss, and {percent(least)} in the worst case found"
            f"{': other attacks break more' if least < own else ''}.")


def left(rows: Mapping[str, tuple[Outcomes, Outcomes, float]]) -> str:
    """What an attack leaves of each system.

    Args:
        rows: heading of a system to its outcomes before and after, and to the share of the correctly classified images
            that had no gradient.
    """
    parts = [f"{name} {percent(before.accuracy.value)} → {percent(after.accuracy.value)}"
             for name, (before, after, _) in rows.items()]
    flat = [f"{name} {percent(share)}" for name, (_, _, share) in rows.items() if share]
    words = f"Classified correctly before and after the attack: {', '.join(parts)}."
    return words + (" Of the images classified correctly before, this share had a gradient of exactly 0: "
                    f"{', '.join(flat)}." if flat else " No image had a gradient of exactly 0.")


def bit(rows: Mapping[str, tuple[int, int]]) -> str:
    """For how many images an attack changes one bit.

    Args:
        rows: heading of a system to that number, and to the number of all images.
    """
    counts = [f"{count} of {n} images of {name}" for name, (count, n) in rows.items()]
    return f"The attack changes this bit for {listed(counts)}." if rows else ""


def ends(after: Outcomes) -> str:
    """Where the images of one class end."""
    return counted("images",
                   (after.correct, "ends in the interval of its class", "end in the interval of their class"),
                   (after.abnormal, "ends in a gap (None)", "end in a gap (None)"),
                   (after.wrong, "ends in another interval", "end in another interval"))


def transferred(result: TransferResult, images: Filter, names: Mapping[str, str]) -> str:
    """Which threat changed the fewest images, and how often its images fool another system."""
    still = {name: threat.unmoved.value for name, threat in result.threats.items()}
    rates = {pair: cell.rate(images) for pair, cell in result.cells.items() if pair[0] != pair[1]}
    shares = {pair: rate.value for pair, rate in rates.items() if rate.n}
    least = max(still, key=still.__getitem__)
    if not any(still.values()) and shares:
        threat, victim = max(shares, key=shares.__getitem__)
        return (f"Every attack changed all of its images; those found against {names[threat]} fool {names[victim]} "
                f"{percent(shares[threat, victim])} of the time.")
    most = max((share for (threat, _), share in shares.items() if threat == least), default=None)
    if most is None:
        return ""
    fool = f"fool another system at most {percent(most)} of the time" if most else "never fool another system"
    return (f"The attack on {names[least]} changed the fewest images: it left {percent(still[least])} of them "
            f"unchanged, and its images {fool}.")


def beside_noise(cell: Cell, images: Filter, names: Mapping[str, str]) -> str:
    """How often the images of one cell fool the victim, with noise beside it."""
    rate = cell.rate(images)
    return (f"Of {rate.n} images found against {names[cell.threat]}, {percent(rate.value)} fool {names[cell.victim]}; "
            f"with noise alone, {percent(cell.noise(images).value)} do.") if rate.n else ""


def together(result: TransferResult, victim: str, images: Filter, names: Mapping[str, str]) -> str:
    """How often all other threats together fool a system, beside the best one alone."""
    others = [cell.rate(images).value for (threat, each), cell in result.cells.items()
              if each == victim != threat and cell.rate(images).n]
    cell = result.union(victim) if others else None
    if cell is None:
        return ""
    return (f"Shown to {names[victim]}, the images of all others together fool it {percent(cell.rate(images).value)} "
            f"of the time, and those of the best one alone {percent(max(others))} of the time.")


def trained(runs: Sequence[tuple[str, Mapping[str, float | None]]], fields: Mapping[str, str]) -> str:
    """The last epochs of training runs, compared.

    Args:
        runs: where a run stands, such as “left”, and its last epoch as an event.
        fields: field of the event to what it says, with ``{}`` in the place of the shares.
    """
    parts = []
    for field, words in fields.items():
        values = [f"{percent(share)} ({where})" for where, last in runs if (share := last.get(field)) is not None]
        if values:
            parts.append(words.format(listed(values)))
    return f"After the last epoch, {', and '.join(parts)}." if parts else ""


def flat(shares: Mapping[str, float], field: str) -> str:
    """On how much of the plane the gradient of a function is exactly 0.

    Args:
        shares: heading of a system to its share, 0 to 1, of what it reads as a class.
        field: the function in words.
    """
    parts = ", ".join(f"{name} {percent(share)}" for name, share in shares.items())
    return f"Share of the area read as a class where the gradient of the {field} is exactly 0: {parts}."


def no_class(labels: Mapping[str, int]) -> str:
    """How many systems answer None to an image that shows none of the classes, and how many name a class."""
    none = sum(label == ABNORMAL for label in labels.values())
    return counted("systems", (none, "answers None to this image", "answer None to this image"),
                   (len(labels) - none, "names a class", "name a class"))
