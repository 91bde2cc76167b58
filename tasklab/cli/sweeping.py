"""``tasklab sweep``: train a system for each combination of some settings and each seed, and compare them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasklab.cli.common import print_json
from tasklab.cli.following import View, add_ray, executor_of
from tasklab.cli.options import whole
from tasklab.cli.training import RECIPE_SETTINGS, add_settings, add_task, described, task_settings
from tasklab.console import UsageError, complain, say, usage
from tasklab.files import check_folder

if TYPE_CHECKING:
    import pandas as pd

    from tasklab.jobs.sweeping import Sweep


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    command = commands.add_parser("sweep", help="train a system for each combination of some settings, and compare",
                                  late=add_task)
    command.add_argument("--vary", action="append", required=True, metavar="NAME=V1,V2,…",
                         help="a setting of the task or the recipe, and its values, such as S=1,10,100; several of "
                         "these are combined")
    command.add_argument("--seeds", type=whole(), default=1,
                         help="training runs of each combination, with seeds from --seed on (default: 1)")
    add_settings(command)
    command.add_argument("--to", type=Path, default=Path("runs/sweep"), metavar="DIR",
                         help="folder of what is written, with the training runs in DIR/jobs (default: runs/sweep)")
    add_ray(command)
    command.set_defaults(call=run)


def run(args: argparse.Namespace) -> int:
    """Train what is missing, and write the table and the figure; after Ctrl-C the same command resumes the sweep."""
    from tasklab.jobs.sweeping import Sweep

    with usage():
        varied = dict(_varied(words) for words in args.vary)
        sweep = Sweep(folder=check_folder(args.to / "jobs"), varied=varied, base=described(args), seeds=args.seeds)
    executor = executor_of(args, threads=args.threads)
    assignments, stopped = sweep.assignments(), False
    try:
        View.of(assignments, as_json=args.json).follow(executor.carry_out(assignments))
    except KeyboardInterrupt:
        stopped = True
    frame = numbers(sweep)
    written = _write(sweep, frame, args.to)
    if args.json:
        print_json({"values": frame.to_dict(orient="records"), "not_made": sweep.missing})
    else:
        say(reading(sweep))
    for name, reason in sweep.missing.items():
        complain(f"not made: {name}: {reason}")
    if written:
        complain(f"written: {', '.join(map(str, written))}")
    if stopped:
        complain("stopped; the same command goes on from there")
    return 130 if stopped else 1 if sweep.missing else 0


def _varied(words: str) -> tuple[str, list[Any]]:
    """The name of a setting and its values."""
    name, separator, values = words.partition("=")
    readers = {**RECIPE_SETTINGS, **task_settings()}
    if not separator or name not in readers:
        raise UsageError(f"expected --vary NAME=V1,V2,… with a setting among {', '.join(sorted(readers))}, got "
                         f"{words[:60]!r}")
    try:
        return name, [readers[name](value) for value in values.split(",")]
    except (argparse.ArgumentTypeError, ValueError) as error:
        raise UsageError(f"--vary {name}: {error}") from None


def numbers(sweep: Sweep) -> pd.DataFrame:
    """Every number on a line of its own; shares in 0..1 with both ends of their 95 % intervals.

    Args:
        sweep: of which some training runs may be missing.
    """
    import pandas as pd

    return pd.DataFrame([
        {**point.settings, "quantity": str(quantity), "eps": quantity.eps, "value": share.value,
         "low": share.interval[0], "high": share.interval[1], "n": share.n, "seeds": " ".join(map(str, point.seeds))}
        for point in sweep.points() for quantity, share in point.measured.items()
    ])


def reading(sweep: Sweep) -> str:
    """The table to read, in Markdown: a line for each combination, with accuracies in % and intervals.

    Args:
        sweep: of which some training runs may be missing.
    """
    import pandas as pd

    from tasklab.evaluation.statistics import Mean
    from tasklab.evaluation.tables import to_markdown

    lines = []
    for point in sweep.points():
        line: dict[str, str] = {name: f"{value:g}" if isinstance(value, float) else str(value)
                                for name, value in point.settings.items()}
        line["seeds"] = ", ".join(map(str, point.seeds)) or "–"
        for quantity, share in point.measured.items():
            in_percent = tuple(100 * value for value in share.values) if isinstance(share, Mean) else ()
            line[str(quantity)] = str(Mean(in_percent, within=(0, 100)) if in_percent else share)
        lines.append(line)
    return to_markdown(pd.DataFrame(lines).fillna("–"))


def _write(sweep: Sweep, frame: pd.DataFrame, folder: Path) -> list[Path]:
    """Write the table and the figure; writes nothing if nothing has been measured."""
    if frame.empty:
        return []
    from tasklab.evaluation.tables import to_csv
    from tasklab.figures.settings import over_setting
    from tasklab.figures.written import write_all

    over = next(iter(sweep.varied))
    figure = over_setting([(point.settings, {str(quantity): share for quantity, share in point.measured.items()})
                           for point in sweep.points()], over)
    text = (f"# {sweep.base.name} over {', '.join(sweep.varied)}\n\nAccuracies in % with 95 % intervals: Wilson's over "
            f"images for one seed, Student's t over seeds for several. Attacked: the first {sweep.base.attacked} test "
            f"images.\n\n{reading(sweep)}\n")
    values = {"values": frame.to_dict(orient="records"), "not_made": sweep.missing,
              "jobs": [training.to_dict() for training in sweep.trainings]}
    return write_all(folder, "sweep", markdown=text, csv=to_csv(frame), values=values, figure=figure)
