"""``tasklab notebooks``: the course's notebooks, listed, or built as copies or slides."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from tasklab.cli.common import print_json
from tasklab.cli.options import seed
from tasklab.console import say, usage
from tasklab.files import check_folder


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    command = commands.add_parser("notebooks", help="list the course's notebooks, or build copies of them")
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="the notebooks by block, their minutes, and their pages in the app")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(call=_list)
    build = actions.add_parser("build", help="write .ipynb files")
    build.add_argument("names", nargs="*", metavar="NOTEBOOK",
                       help="such as 03; none builds the whole course; slides: the sessions that work on it")
    who = build.add_mutually_exclusive_group()
    who.add_argument("--student", dest="audience", action="store_const", const="student",
                     help="without the solutions (default)")
    who.add_argument("--teacher", dest="audience", action="store_const", const="teacher", help="with the solutions")
    who.add_argument("--instructor", dest="audience", action="store_const", const="instructor",
                     help="with the solutions, a plan of sessions, misconceptions, questions and rubrics")
    who.add_argument("--nbgrader", dest="audience", action="store_const", const="nbgrader",
                     help="as the source of nbgrader's assignments, with hidden tests and points")
    who.add_argument("--slides", dest="audience", action="store_const", const="slides",
                     help="the sessions of the plan as reveal.js, run first and shown without a network")
    build.add_argument("--to", type=Path, required=True, metavar="DIR", help="folder to write to")
    build.add_argument("--execute", action="store_true", help="run them first, so that they show their figures")
    build.add_argument("--fast", action="store_true", help="set FAST = True: fewer images, seconds instead of minutes")
    build.add_argument("--data", choices=("digits", "mnist"), help="set DATA (default: as each notebook has it)")
    build.add_argument("--seed", type=seed, help="set SEED (default: 0)")
    build.add_argument("--install", type=_source, metavar="SOURCE",
                       help="what the first cell of each copy installs by pip where tasklab is missing, as on Colab: "
                            "the address of a wheel, or git+ and that of a repository")
    build.set_defaults(call=_build, audience="student")
    claims = actions.add_parser("claims", help="the sentences that claim something, each with the assertions behind it")
    claims.add_argument("names", nargs="*", metavar="NOTEBOOK", help="such as 03; none takes the whole course")
    claims.add_argument("--json", action="store_true", help="print JSON")
    claims.set_defaults(call=_claims)
    words = actions.add_parser("words", help="the glossary, and names from the literature with references, as Markdown")
    words.set_defaults(call=_words)


def _source(text: str) -> str:
    """Read what pip can install: the address of a wheel or of a repository."""
    if not re.fullmatch(r"(git\+)?[a-z]+://\S+|.*\.whl", text, re.DOTALL):
        raise argparse.ArgumentTypeError(f"expected the address of a wheel, or git+ and that of a repository, got "
                                         f"{text[:80]!r}")
    return text


def _list(args: argparse.Namespace) -> int:
    from tasklab.course import COURSE

    if args.json:
        names = ("notebook", "block", "minutes", "page", "title")
        print_json([{name: getattr(part, name) for name in names} for part in COURSE])
    else:
        for part in COURSE:
            say(f"block {part.block}  {part.notebook:<24} {part.minutes} minutes  page {part.page}")
    return 0


def _build(args: argparse.Namespace) -> int:
    from tasklab.course import notebooks

    options = {"FAST": args.fast or None, "DATA": args.data, "SEED": args.seed}
    parameters = {name: value for name, value in options.items() if value is not None}
    chosen = [notebooks.find(name) for name in args.names]
    with usage():
        if args.execute and args.audience == "nbgrader":
            raise ValueError("expected --nbgrader without --execute, got both: nbgrader runs what students hand in")
        if args.install and args.audience == "slides":
            raise ValueError("expected --slides without --install, got both: slides install nothing")
        check_folder(args.to)
    if args.audience == "nbgrader":
        from tasklab.course.grading import write_assignments

        written = write_assignments(args.to, only=chosen, parameters=parameters, source=args.install or "")
    elif args.audience == "slides":
        from tasklab.course.slides import write_slides

        written = write_slides(args.to, only=chosen, parameters=parameters)
    else:
        written = notebooks.write(
            args.to, args.audience, only=chosen, parameters=parameters, source=args.install or "", execute=args.execute
        )
    for file in written:
        say(str(file))
    return 0


def _claims(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from tasklab.course import claims, notebooks

    chosen = tuple(notebooks.find(name) for name in args.names) or notebooks.names()
    if args.json:
        print_json([asdict(each) for name in chosen for each in claims.claims(name)])
    else:
        say(claims.markdown(chosen))
    missing = [f"{name}: {line}" for name in chosen for line in claims.gaps(name)]
    if missing:
        raise ValueError("expected an assertion for every claim, got " + "; ".join(missing))
    return 0


def _words(args: argparse.Namespace) -> int:
    from tasklab.course.words import glossary, reading

    say(f"# Glossary\n\n{glossary()}\n\n# Names and references\n\n{reading()}")
    return 0
