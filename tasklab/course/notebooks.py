"""The course's notebooks, and building copies of them for students, teachers and instructors.

A notebook is a Python file in jupytext's percent format, without a header. The tags of its cells say what each is for:

- ``parameters``: the first code cell, FAST, SEED and DATA, to be changed by hand or by `build`;
- ``check``: asserts what the reader should see, or the answer to the exercise above it;
- ``exercise``: where the reader writes; ``solution``: an answer, code or text, that students' copies leave out.

Copies begin with one more cell, folded away, which installs tasklab where it is missing and calls `show_figures`.
"""

from __future__ import annotations

import atexit
import importlib.util
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from tasklab import files
from tasklab.course import COURSE, instructor
from tasklab.course.references import expanded

Audience = Literal["student", "teacher", "instructor"]
AUDIENCES: tuple[Audience, ...] = ("student", "teacher", "instructor")

Notebook = Any  # nbformat's NotebookNode, a dict whose keys are attributes

CELL_SECONDS = 600
"""Largest time in seconds that a cell may take when a copy is executed."""

KERNEL = "python3"
"""Jupyter's name of the kernel that runs the notebooks."""

INK = "#757575"
"""Colour of text in figures, with a contrast of 4.5 to white and to black."""

OPENING = """\
import importlib.util
import subprocess
import sys

SOURCE = {source!r}  # what pip installs where tasklab is missing
if importlib.util.find_spec("tasklab") is None:
    if not SOURCE:
        raise ModuleNotFoundError("expected tasklab to be installed; try SOURCE = the address of its wheel, above")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", SOURCE], check=True)
    importlib.invalidate_caches()

from tasklab.course.notebooks import show_figures

show_figures()  # makes plotly draw in JupyterLab, VS Code and Colab"""
"""The first cell of each copy."""


def folder() -> Path:
    """The folder of the notebooks: inside the installed package, or beside it in a clone of the repository."""
    package = Path(__file__).parents[1]
    inside = package / "_notebooks"
    return inside if inside.is_dir() else package.parent / "notebooks"


def names() -> tuple[str, ...]:
    """The notebooks' names in the order of the course.

    >>> names()[0]
    '00_tour'
    """
    return tuple(part.notebook for part in COURSE)


def find(name: str) -> str:
    """The full name of the notebook whose name begins with ``name``, which can be a number.

    Raises:
        ValueError: there is none, or more than one; the message lists all notebooks.

    >>> find("07")
    '07_effect_of_s'
    """
    matches = [known for known in names() if known == name] or [known for known in names() if known.startswith(name)]
    if len(matches) != 1:
        raise ValueError(f"expected a notebook among {', '.join(names())}, got {name!r}; try its number, such as 03")
    return matches[0]


def read(name: str) -> Notebook:
    """A notebook as it was written, with solutions and without outputs; citations are expanded to whole entries.

    Raises:
        ValueError: there is no such notebook.
    """
    import jupytext

    notebook = jupytext.read(folder() / f"{find(name)}.py", fmt="py:percent")
    notebook.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": KERNEL}}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = expanded(cell.source)
    return notebook


def tags(cell: Notebook) -> set[str]:
    """The tags of a cell."""
    return set(cell.metadata.get("tags", ()))


def build(
    name: str, audience: Audience = "student", *, parameters: Mapping[str, object] | None = None, source: str = ""
) -> Notebook:
    """A copy of a notebook, without outputs.

    Args:
        name: the notebook, or its number.
        audience: ``"student"``: without the solutions, and the checks of exercises are marked as cells that may fail,
            so that "run all" goes on behind them; ``"teacher"``: with both; ``"instructor"``: a teacher's copy with
            the notes of `tasklab.course.instructor`.
        parameters: values for names of the ``parameters`` cell, such as ``{"FAST": True}``.
        source: what pip installs where tasklab is missing, such as the address of a wheel; by default nothing, and the
            first cell says so.

    Returns:
        An nbformat notebook.

    Raises:
        ValueError: no such notebook, audience or parameter.

    >>> cells = build("03", "student", parameters={"DATA": "mnist"}).cells
    >>> any("solution" in tags(cell) for cell in cells)
    False
    """
    if audience not in AUDIENCES:
        raise ValueError(f"expected an audience among {', '.join(AUDIENCES)}, got {audience!r}")
    notebook = read(name)
    set_parameters(notebook, parameters or {})
    if audience == "student":
        open_exercise = False
        for cell in notebook.cells:
            if "exercise" in tags(cell):
                open_exercise = True
            elif open_exercise and "check" in tags(cell):
                cell.metadata["tags"] = [*cell.metadata["tags"], "raises-exception"]
                open_exercise = False
        notebook.cells = [cell for cell in notebook.cells if "solution" not in tags(cell)]
    if audience == "instructor":
        instructor.annotate(notebook, find(name), folder())
    notebook.cells.insert(0, _folded(OPENING.format(source=source)))
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{index}"  # the same in every copy
    return notebook


def show_figures() -> None:
    """Make sure that plotly draws figures in the notebook that calls this, with a description below each of them.

    plotly relies on an extension of JupyterLab that it installs. Where JupyterLab is not installed in the same
    environment, that extension may be missing, so the notebook includes plotly's script. A renderer in the environment
    variable ``PLOTLY_RENDERER`` is used as it is. The text of figures gets a colour that can be read on a light page
    and on a dark one.
    """
    import plotly.io

    from tasklab.figures.words import show_words

    plotly.io.templates["plotly"].layout.font.color = INK
    if plotly.io.renderers.default == "plotly_mimetype" and importlib.util.find_spec("jupyterlab") is None:
        plotly.io.renderers.default = "plotly_mimetype+notebook"
    show_words()


def set_parameters(notebook: Notebook, parameters: Mapping[str, object]) -> None:
    """Write values into the notebook's ``parameters`` cell.

    Raises:
        ValueError: a name that is not assigned there.
    """
    cell = next(cell for cell in notebook.cells if "parameters" in tags(cell))
    for name, value in parameters.items():
        pattern = re.compile(rf"^({re.escape(name)} = )\S+", re.MULTILINE)
        if not pattern.search(cell.source):
            raise ValueError(f"expected a parameter among {', '.join(_assigned(cell.source))}, got {name!r}")
        cell.source = pattern.sub(rf"\g<1>{value!r}", cell.source)


def write(
    to: str | Path,
    audience: Audience = "student",
    *,
    only: Sequence[str] = (),
    parameters: Mapping[str, object] | None = None,
    source: str = "",
    execute: bool = False,
) -> Iterator[Path]:
    """Write copies as ``.ipynb`` files, one after the other, and yield each file once it is written.

    With copies for instructors, the guide to the course as a whole is written first.

    Args:
        to: the folder, which is created if it does not exist. Files of the same names in it are replaced.
        audience, parameters, source: as in `build`.
        only: these notebooks, by name or number; by default the whole course.
        execute: run each before it is written, so that it shows its figures.

    Raises:
        ValueError: no such notebook, audience or parameter.
        RuntimeError: the packages that run notebooks are not installed, or a cell fails that should not.
    """
    import nbformat

    chosen = [find(name) for name in only] or list(names())
    target = Path(to)
    target.mkdir(parents=True, exist_ok=True)
    if audience == "instructor":
        files.write_text(target / instructor.GUIDE, instructor.guide(folder()))
        yield target / instructor.GUIDE
    for name in chosen:
        notebook = build(name, audience, parameters=parameters, source=source)
        if execute:
            run(notebook, name)
        file = target / f"{name}.ipynb"
        files.write_text(file, str(nbformat.writes(notebook)))  # type: ignore[no-untyped-call]
        yield file


def run(notebook: Notebook, name: str) -> None:
    """Run every cell in a kernel of its own, in place.

    Raises:
        RuntimeError: nbclient or ipykernel is not installed, or the kernel does not start; or a cell fails, unless it
            is marked as one that may.
    """
    try:
        import ipykernel  # noqa: F401
        from jupyter_client.kernelspec import NoSuchKernel
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError, CellTimeoutError
    except ImportError:
        raise RuntimeError(
            "expected nbclient and ipykernel to run notebooks, got neither or one; try pip install 'tasklab[notebooks]'"
        ) from None
    client = NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name=KERNEL)
    try:
        client.execute()
    except CellExecutionError as error:
        raise RuntimeError(f"{name}: expected every cell to run, got {error.ename}: {error.evalue}") from error
    except CellTimeoutError as error:
        raise RuntimeError(f"{name}: expected cells that end within {CELL_SECONDS} s, got one that does not") from error
    except (NoSuchKernel, RuntimeError, OSError) as error:
        atexit.unregister(client._cleanup_kernel)  # where none has started, it would fail when Python ends
        raise RuntimeError(
            f"{name}: expected the Jupyter kernel {KERNEL!r} to start and stay, got {type(error).__name__}: {error}; "
            f"try python -m ipykernel install --sys-prefix --name {KERNEL}"
        ) from error


def _folded(source: str) -> Notebook:
    import nbformat

    cell: Notebook = nbformat.v4.new_code_cell(source)  # type: ignore[no-untyped-call]
    cell.metadata["jupyter"] = {"source_hidden": True}
    return cell


def _assigned(source: str) -> list[str]:
    return re.findall(r"^(\w+) = ", source, re.MULTILINE)
