"""The sessions of the plan as slides: reveal.js, made by nbconvert from executed notebooks, shown without a network.

Each section of a notebook is a column of slides: its text and question first, then code and figures, then what one
should see. Solutions, checks and answers are left out; an instructor's notes are the speaker's notes. All files that
the slides load are in one folder beside them, so the whole folder can be copied to a machine that has only a browser.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tasklab import files
from tasklab.course import notebooks
from tasklab.course.instructor import TAG
from tasklab.course.plan import PLAN, Session, Talk, Work, places_of, unit_of

ASSETS = "assets"
"""Name of the folder with the files that all slides load."""

FOLDER = Path(__file__).parent / "reveal"
"""reveal.js with its licence, our style, and the template."""

PLOTLY = "application/vnd.plotly.v1+json"
"""Mime type of a figure among a cell's outputs."""

FIGURE_SIZE = (820, 460)
"""Width and height of a figure that has none of its own, in pixels; the slides enlarge it as far as they can."""

LINKS = ("## The same in the app", "## In the app", "## Further reading")
"""Headings of parts that are of no use on a slide."""

LEFT_OUT = {"solution", "check", "parameters"}
"""Tags of cells that are run but not shown."""

LONGEST = 750
"""Largest number of characters of a text on one slide; a longer text is continued on the next one after a paragraph."""

BESIDE_CODE = 4
"""Largest number of lines of code that share a slide with their output."""

MATH = re.compile(r"\$\$(?P<block>.+?)\$\$|(?<![\\\w$])\$(?P<inline>[^$\n]+?)\$(?![\w$])", re.DOTALL)
DETAILS = re.compile(r"<details><summary>(?P<title>.*?)</summary>(?P<text>.*?)</details>", re.DOTALL)

Cell = Any  # nbformat's NotebookNode, a dict whose keys are attributes


def write_slides(
    to: str | Path, *, only: Sequence[str] = (), parameters: Mapping[str, object] | None = None
) -> Iterator[Path]:
    """Run the notebooks of each session, write its slides as one HTML file, and yield each file once it is written.

    Args:
        to: the folder, which is created if it does not exist. Files of the same names in it are replaced.
        only: notebooks, by name or number: the sessions that work on one of them. By default all sessions.
        parameters: as in `tasklab.course.notebooks.build`.

    Raises:
        ValueError: no such notebook or parameter.
        RuntimeError: the packages that make slides are not installed, or a cell fails.
    """
    chosen = {notebooks.find(name) for name in only}
    sessions = {number: session for number, session in enumerate(PLAN, 1)
                if not chosen or chosen & {work.part.notebook for work in session.works}}
    export = _exporter()
    target = Path(to)
    for file in sorted(FOLDER.iterdir()):
        if file.is_file():
            files.write_bytes(target / ASSETS / file.name, file.read_bytes())
    files.write_text(target / ASSETS / "plotly.min.js", _plotly())
    executed: dict[str, Any] = {}
    for number, session in sessions.items():
        for work in session.works:
            name = work.part.notebook
            if name not in executed:
                executed[name] = notebooks.build(name, "instructor", parameters=parameters)
                notebooks.run(executed[name], name)
        file = target / f"session_{number:02}.slides.html"
        files.write_text(file, export(deck(number, session, executed)))
        yield file


def deck(number: int, session: Session, executed: Mapping[str, Any]) -> Any:
    """One session as a notebook whose cells are assigned to slides.

    Args:
        number: of the session, from 1.
        session: from the plan.
        executed: an executed instructor's copy of each notebook that the session works on, by name.

    Returns:
        An nbformat notebook with slide types.
    """
    import nbformat

    cells = [_text(f"# Session {number} · {session.title}\n\n*{session.outcome}*", "slide")]
    for step in session.steps:
        if isinstance(step, Talk):
            kind = "break" if step.rest else "talk"
            words = f'<p class="break">{step.what} · {step.minutes} minutes</p>' if step.rest else f"## {step.what}"
            cells.append(_text(words, "slide", kind))
        else:
            cells += _of_work(step, executed[step.part.notebook])
    notebook = nbformat.v4.new_notebook(cells=cells)  # type: ignore[no-untyped-call]
    notebook.metadata["title"] = f"Session {number} · {session.title}"
    for place, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{place}"
    return notebook


def _of_work(work: Work, notebook: Any) -> Iterator[Cell]:
    """The slides of a step: its core and, in the last session on a notebook, all units that are core in none."""
    name = work.part.notebook
    places = list(places_of(name))
    core = {unit for _, _, each in places for unit in each.core}
    here, first, last = set(work.core), places[0][2] is work, places[-1][2] is work
    for unit, cells in _units(notebook):
        if unit == "" and first:
            title = next(cell for cell in cells if cell.cell_type == "markdown")
            yield _text(title.source.split("\n| time |")[0].strip(), "slide")
        elif unit in here or (last and unit and unit not in core):
            yield from _of_unit(cells, f"Notebook {work.notebook}", optional=unit not in core)


def _units(notebook: Any) -> Iterator[tuple[str, list[Cell]]]:
    """The cells of each unit; the opening is the unit ``""``, and parts that no plan can name are ``"aside"``."""
    unit, cells = "", []
    for cell in notebook.cells:
        if cell.cell_type == "code" or TAG in notebooks.tags(cell):
            if unit != "end":
                cells.append(cell)
            continue
        for piece in re.split(r"^(?=## )", cell.source, flags=re.MULTILINE):
            if piece.startswith(LINKS) and not cell.source.startswith(LINKS):
                continue  # an instructor's note behind this cell belongs to what stands above the links
            if piece.startswith("## "):
                if unit != "end":
                    yield unit, cells
                unit, cells = "end" if piece.startswith(LINKS) else unit_of(piece) or "aside", []
            if piece.strip() and unit != "end":
                cells.append(_text(piece.strip(), "-"))
    if unit != "end":
        yield unit, cells


def _of_unit(cells: Sequence[Cell], place: str, *, optional: bool) -> Iterator[Cell]:
    kind = "slide"
    for cell in cells:
        labels = notebooks.tags(cell)
        if TAG in labels:
            yield _text(cell.source, "notes")
        elif cell.cell_type == "markdown":
            for words in _pieces(cell.source):
                if kind == "slide":
                    words = _headed(words, place, optional)
                yield _text(words, kind)
                kind = "subslide"
        elif not labels & LEFT_OUT and not re.fullmatch(r"guess = .*", cell.source.strip()):
            yield from _of_code(cell)


def _headed(words: str, place: str, optional: bool) -> str:
    heading, _, rest = words.partition("\n")
    label = ' <span class="optional">optional</span>' if optional else ""
    return f'<p class="unit">{place}</p>\n\n{heading}{label}\n{rest}'


def _pieces(source: str) -> Iterator[str]:
    """A text as slides: parts that are folded in the notebook get slides of their own, and answers get none."""
    end = 0
    for match in DETAILS.finditer(source):
        yield from _paragraphs(source[end:match.start()])
        if match["title"] != "Answers":
            yield from _paragraphs(f"### {match['title']}\n\n{match['text'].strip()}")
        end = match.end()
    yield from _paragraphs(source[end:])


def _paragraphs(text: str) -> Iterator[str]:
    """A text in pieces of whole paragraphs that a slide can hold; nothing if it is empty."""
    piece = ""
    for paragraph in re.split(r"\n{2,}", text.strip()):
        if piece and len(piece) + len(paragraph) > LONGEST:
            yield piece
            piece = ""
        piece = f"{piece}\n\n{paragraph}".strip()
    if piece:
        yield piece


def _of_code(cell: Cell) -> Iterator[Cell]:
    """A cell of code and its output, on separate slides unless both are short."""
    import nbformat

    lines = [line for line in cell.source.splitlines() if line.strip()]
    code: Cell = nbformat.v4.new_code_cell(cell.source)  # type: ignore[no-untyped-call]
    code.metadata["slideshow"] = {"slide_type": "subslide"}
    if lines and all(re.match(r"(from|import) ", line) for line in lines):
        return
    yield code
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        if str(data.get("text/html", "")).startswith("<details>"):
            continue  # a figure's description, which a slide's figure has as its label
        if len(data.get("text/markdown", "")) > LONGEST:
            continue  # a list to look things up in, which the notebook has
        shown: Cell = nbformat.v4.new_code_cell("")  # type: ignore[no-untyped-call]
        shown.metadata["tags"] = ["output"]
        large = PLOTLY in data
        apart = large and len(lines) > BESIDE_CODE
        shown.metadata["slideshow"] = {"slide_type": "subslide" if apart else "-"}
        shown.outputs = [_drawn(output) if large else output]
        yield shown


def _drawn(output: Any) -> Any:
    """An output with a figure, as a place where a script draws it once its slide is shown."""
    import nbformat

    figure = dict(output["data"][PLOTLY])
    layout = dict(figure.get("layout", {}))
    layout["width"], layout["height"] = (layout.get(name) or size
                                         for name, size in zip(("width", "height"), FIGURE_SIZE, strict=True))
    text = json.dumps({"data": figure.get("data", []), "layout": layout}).replace("</", "<\\/")
    label = html.escape(str((layout.get("meta") or {}).get("words", "")))
    place = (f'<div class="figure" role="img" aria-label="{label}" style="width: {layout["width"]}px"><div></div>'
             f'<script type="application/json">{text}</script></div>')
    return nbformat.v4.new_output("display_data", {"text/html": place})  # type: ignore[no-untyped-call]


def _text(source: str, kind: str, tag: str = "") -> Cell:
    import nbformat

    cell: Cell = nbformat.v4.new_markdown_cell(_with_mathml(source))  # type: ignore[no-untyped-call]
    cell.metadata["slideshow"] = {"slide_type": kind}
    if tag:
        cell.metadata["tags"] = [tag]
    return cell


def _with_mathml(source: str) -> str:
    """Formulas in MathML, which browsers draw themselves, so that no script has to be loaded for them."""
    try:
        from latex2mathml.converter import convert
    except ImportError:
        raise _missing() from None

    def formula(match: re.Match[str]) -> str:
        return str(convert(html.unescape((match["block"] or match["inline"]).replace("\n", " ")),
                           display="block" if match["block"] else "inline"))

    return "".join(part if part.startswith("`") else MATH.sub(formula, part)
                   for part in re.split(r"(```.*?```|`[^`\n]*`)", source, flags=re.DOTALL))


def _exporter() -> Any:
    """A function from a notebook with slide types to the text of an HTML file."""
    try:
        from nbconvert import SlidesExporter
        from traitlets.config import Config
    except ImportError:
        raise _missing() from None
    config = Config({
        "SlidesExporter": {
            "extra_template_basedirs": [str(FOLDER / "template")], "template_name": "tasklab_slides",
            "exclude_input_prompt": True, "exclude_output_prompt": True,
        },
        "TagRemovePreprocessor": {"enabled": True, "remove_input_tags": ["output"]},
    })
    exporter = SlidesExporter(config=config)  # type: ignore[no-untyped-call]
    return lambda notebook: str(exporter.from_notebook_node(notebook)[0])


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def _missing() -> RuntimeError:
    return RuntimeError(
        "expected nbconvert and latex2mathml to make slides, got an environment that lacks one of them; "
        "try pip install 'tasklab[notebooks]'"
    )
