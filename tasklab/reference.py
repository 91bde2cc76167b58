"""The API reference: browsable pages made from the docstrings by pdoc, with every cross-reference a link.

``python -m tasklab.reference --to build/docs`` writes them; pdoc comes with ``pip install -e ".[docs]"``. A
cross-reference is a Python name between single backticks in a docstring; anything else that is code stands between
double ones. Formulas are written in Unicode, so the pages show them as they are, without a script from elsewhere.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import inspect
import pkgutil
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import tasklab
from tasklab import files
from tasklab.console import ready, say

if TYPE_CHECKING:
    from pdoc.doc import Doc, Module

REFERENCE = re.compile(r"(?<!`)`([A-Za-z_][\w.]*)(\(\))?`(?!`)")
"""A Python name between single backticks, with or without an empty call."""

NOWHERE = ("", "")
"""The target of a reference to an object that exists but is on no page."""

LEFT_OUT = re.compile(r"tasklab\.cli\b|.*__main__$")
"""Modules without pages: the command line describes itself."""


class BrokenReference(ValueError):
    """Docstrings refer to names that do not exist."""


def build(folder: Path) -> Path:
    """Write the reference.

    Args:
        folder: the folder to write to, which is created if it does not exist.

    Returns:
        The page to begin with.

    Raises:
        BrokenReference: docstrings refer to names that do not exist; nothing is written.
        ValueError: a folder that cannot be written to.
    """
    from pdoc import render

    files.check_folder(folder)
    with _whole_packages(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Error parsing type annotation")  # then it is shown as it was written
        pages = _pages()
        broken = broken_references(pages)
        if broken:
            raise BrokenReference("expected every name between single backticks to be there, got "
                                  f"{'; '.join(broken)}; try the full name, or double backticks for what is no name")
        _link(pages)
        render.configure(docformat="google", footer_text=f"tasklab {tasklab.__version__}")
        for name, page in pages.items():
            file = folder / f"{name.replace('.', '/')}.html"
            file.parent.mkdir(parents=True, exist_ok=True)
            files.write_text(file, render.html_module(page, pages))
        files.write_text(folder / "index.html", render.html_index(pages))
        files.write_text(folder / "search.js", render.search_index(pages))
    return folder / "index.html"


def modules() -> list[str]:
    """The names of all modules that have a page, packages before their modules."""
    names = [tasklab.__name__, *(each.name for each in pkgutil.walk_packages(tasklab.__path__, "tasklab."))]
    return sorted(name for name in names if not LEFT_OUT.match(name))


def broken_references(pages: Mapping[str, Module] | None = None) -> list[str]:
    """Each cross-reference in a public docstring to a name that does not exist, after the name of the object it is on.

    Args:
        pages: of all modules by name; by default they are made.
    """
    pages = _pages() if pages is None else pages
    return sorted({
        f"{'.'.join(filter(None, doc.taken_from))}: `{name}`"
        for page in pages.values() for doc in _documented(page) for name, _ in REFERENCE.findall(doc.docstring)
        if _target(name, doc, pages) is None
    })


@contextlib.contextmanager
def _whole_packages() -> Iterator[None]:
    """Let packages name their modules, and the top one hold what it would import on first use: pdoc shows only that."""
    with contextlib.ExitStack() as stack:
        for name in modules():
            module = importlib.import_module(name)
            if hasattr(module, "__path__") and hasattr(module, "__all__"):
                inside = [each.name for each in pkgutil.iter_modules(module.__path__)
                          if f"{name}.{each.name}" in modules()]
                held: dict[str, Any] = {each: getattr(module, each) for each in module.__all__}
                stack.enter_context(patch.dict(vars(module), {**held, "__all__": [*inside, *module.__all__]}))
        yield


def _pages() -> dict[str, Module]:
    from pdoc.doc import Module

    return {name: Module(importlib.import_module(name)) for name in modules()}


def _documented(doc: Doc[Any]) -> Iterator[Doc[Any]]:
    """A page and all public objects on it whose docstrings are this library's own."""
    from pdoc.doc import Class
    from pdoc.doc import Module as Page

    if not doc.taken_from[0].startswith(tasklab.__name__) or re.search(r"(^|\.)_(?!_init__$)", doc.qualname):
        return
    yield doc
    for each in doc.members.values() if isinstance(doc, Class | Page) else ():
        if not isinstance(each, Page):
            yield from _documented(each)


def _target(name: str, doc: Doc[Any], pages: Mapping[str, Module]) -> tuple[str, str] | None:
    """The module and the name in it that a docstring means, looked for in its class, its module, and then anywhere.

    Returns:
        `NOWHERE` for an object that exists but has no page, and None for one that does not exist.
    """
    home, scope = doc.taken_from
    page = pages.get(home)
    parts = scope.split(".") if scope else []
    for depth in range(len(parts), -1, -1):
        if page is not None and page.get(".".join([*parts[:depth], name])):
            return home, ".".join([*parts[:depth], name])
    first, _, rest = name.partition(".")
    if name in pages or first == tasklab.__name__:
        module = max((each for each in pages if f"{name}.".startswith(f"{each}.")), key=len, default="")
        rest = name[len(module) + 1 :]
        return (module, rest) if module and (not rest or pages[module].get(rest)) else None
    meant = vars(importlib.import_module(home)).get(first)
    if inspect.ismodule(meant) and meant.__name__ in pages:
        return (meant.__name__, rest) if not rest or pages[meant.__name__].get(rest) else None
    homes = [module for module, each in pages.items() if each.get(first) and not hasattr(each.obj, "__path__")]
    siblings = [module for module in homes if module.rpartition(".")[0] == home.rpartition(".")[0]]
    where = getattr(meant, "__module__", None)
    if where not in homes:
        where = homes[0] if len(homes) == 1 else siblings[0] if len(siblings) == 1 else None
    if where is not None and pages[where].get(name):
        return where, name
    return NOWHERE if _exists(meant, rest) else None


def _exists(meant: object, rest: str) -> bool:
    """Whether something that is on no page exists: an object of another library, or an attribute set by a method."""
    for part in filter(None, rest.split(".")):
        if not hasattr(meant, part):
            return inspect.isclass(meant) and re.search(rf"\bself\.{part}\b", inspect.getsource(meant)) is not None
        meant = getattr(meant, part)
    return meant is not None


def _link(pages: Mapping[str, Module]) -> None:
    """Turn references that pdoc does not link, those to names in other modules, into links."""
    from pdoc.render_helpers import relative_link

    for here, page in pages.items():
        for doc in _documented(page):
            def linked(match: re.Match[str], doc: Doc[Any] = doc, here: str = here) -> str:
                target = _target(match[1], doc, pages)
                if target is None or target[0] in ("", here) or match[1].startswith("tasklab"):
                    return match[0]
                return f"[{match[0]}]({relative_link(here, target[0])}{'#' * bool(target[1])}{target[1]})"

            vars(doc)["docstring"] = REFERENCE.sub(linked, doc.docstring)


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the reference, and print where its first page is."""
    parser = argparse.ArgumentParser(prog="python -m tasklab.reference", description="Build the API reference.")
    parser.add_argument("--to", type=Path, default=Path("build/docs"), metavar="DIR", help="(default: build/docs)")
    with ready():
        try:
            say(str(build(parser.parse_args(arguments).to)))
        except ImportError as error:
            parser.exit(1, f"{parser.prog}: expected pdoc, got: {error}; try pip install -e '.[docs]'\n")
        except ValueError as error:
            parser.exit(1, f"{parser.prog}: {error}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
