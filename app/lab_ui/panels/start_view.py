"""The upper half of the start page as HTML, made from the record: one image, four decoded labels, their outputs."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

STYLE = """
<style>
.front { display: grid; grid-template-columns: 19rem minmax(0, 1fr); gap: 0.6rem 2.5rem; align-items: start; }
.front-words { grid-column: 2; min-height: 8.9rem; }
.front-words h1 { font-size: 3rem; font-weight: 700; line-height: 1.1; padding: 0; margin: 0 0 0.6rem;
  letter-spacing: -0.02em; }
.front-words p { font-size: 1.5rem; line-height: 1.35; margin: 0; max-width: 44rem; }
.front-seen { grid-row: 1 / span 2; margin: 0; position: relative; }
.front-seen img { width: 100%; display: block; image-rendering: pixelated; border-radius: 12px;
  outline: 1px solid #8a8a8a66; animation: front-in 0.5s ease-out; }
.front-seen figcaption { font-size: 1.05rem; line-height: 1.3; margin-top: 0.5rem; text-align: center; }
.front-plane { position: relative; border-radius: 12px; overflow: hidden; outline: 1px solid #8a8a8a; }
.front-plane img { border-radius: 0; outline: none; image-rendering: auto; }
.front-plane i { position: absolute; width: 0.8rem; height: 0.8rem; margin: -0.4rem; border-radius: 50%;
  background: #ffffff; border: 2px solid #101418; box-sizing: border-box; }
.front-plane i.front-end { width: 1.7rem; height: 1.7rem; margin: -0.85rem; background: #e0700a; }
.front-plane i.front-stuck { width: 1.7rem; height: 1.7rem; margin: -0.85rem; background: #1f78c8; }
.front-four { grid-column: 2; display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 0.9rem;
  list-style: none; margin: 0 !important; padding: 0 !important; }
.front-four li { margin: 0 !important; padding: 0 !important; container-type: inline-size; }
.front-four h2 { font-size: 1.35rem; font-weight: 700; padding: 0; margin: 0 0 0.3rem; }
.front-answer { border-radius: 12px; text-align: center; padding: 0.5rem 0.2rem 0.6rem;
  animation: front-in 0.5s ease-out; }
.front-answer b { display: block; font-size: min(3.9rem, 34cqi); line-height: 1.1; font-weight: 700; }
.front-answer span { font-size: 1.1rem; font-weight: 600; }
.front-four .front-kind b { font-weight: 600; }
.front-four .front-kind { font-size: 0.95rem; line-height: 1.25; margin: 0.4rem 0 0; }
.front-drawn { height: 4.6rem; margin-top: 0.6rem; position: relative; display: flex; align-items: stretch; }
.front-drawn > div { flex: 1; min-width: 0; display: flex; flex-direction: column; justify-content: flex-end;
  text-align: center; }
.front-drawn em { font-style: normal; font-size: 0.85rem; line-height: 1.3rem; height: 1.3rem; border-radius: 4px; }
.front-drawn em.front-flip { background: #f29a3d; color: #000000; font-weight: 700; }
.front-drawn em.front-won { font-weight: 700; }
.front-bars { gap: 3%; }
.front-bars i { background: #8a8a8a; border-radius: 2px 2px 0 0; }
.front-bits { gap: 8%; }
.front-bits i { height: 3.2rem; position: relative;
  background: linear-gradient(#8a8a8a, #8a8a8a) 0 50% / 100% 2px no-repeat; }
.front-bits i::after { content: ""; position: absolute; left: 15%; right: 15%; background: #8a8a8a; border-radius: 2px;
  top: var(--top); height: max(2px, var(--size)); }
.front-track { position: absolute; left: 0; right: 0; top: 0.7rem; height: 2rem;
  background: repeating-linear-gradient(-45deg, transparent 0 4px, #8a8a8a 4px 5.5px); }
.front-track i { position: absolute; top: 0; bottom: 0; background: #b4bcc6; }
.front-track i.front-mine { background: #1f78c8; }
.front-track b { position: absolute; top: -0.6rem; bottom: -0.3rem; width: 5px; margin-left: -2px; background: #101418;
  outline: 2px solid #ffffff; }
.front-line em { position: absolute; bottom: 0; text-align: center; }
.front-own-picture { width: 4.6rem; max-width: 100%; display: block; margin: 0.6rem auto 0; image-rendering: pixelated;
  border-radius: 6px; }
.front-go { font-size: 1.5rem; font-weight: 700; padding: 0; margin: 1.2rem 0 0; }
.st-key-start_next button { min-width: 15rem; }
.st-key-start_next button p, .st-key-start_open button p { font-size: 1.25rem; }
[class*="st-key-tile_"] { border-radius: 12px; }
[class*="st-key-tile_"] [data-testid="stPageLink"] a { padding-left: 0; margin-left: 0; }
[class*="st-key-tile_"] [data-testid="stPageLink"] p { font-size: 1.25rem; font-weight: 700; }
@keyframes front-in { from { opacity: 0.2; } }
@media (prefers-reduced-motion: reduce) { .front * { animation: none !important; } }
@media (max-width: 900px) {
  .front { grid-template-columns: minmax(0, 1fr); }
  .front-seen { grid-row: auto; max-width: 15rem; margin: 0 auto; width: 100%; }
  .front-words, .front-four { grid-column: 1; }
  .front-words { min-height: 0; order: -1; }
  .front-words h1 { font-size: 2.1rem; }
  .front-words p { font-size: 1.2rem; }
  .front-four { grid-template-columns: repeat(2, minmax(0, 1fr)); margin-top: 0.6rem; }
}
</style>
"""

SIGNS = {"correct": ("●", "right"), "wrong": ("✕", "wrong"), "abnormal": ("▨", "no class")}
COLOURS = {"correct": "#1f78c8", "wrong": "#e0700a", "abnormal": "#8a8a8a"}
NAMES = {"tra": "TRA", "deepbe": "DeepBE", "int": "INT", "rbc": "RBC"}


def stage(record: Mapping[str, Any], view: str, title: str, words: str) -> str:
    """The image, the words about it, and what each system reads.

    Args:
        record: from `start_record.read`.
        view: name of a view in the record, or ``"own"`` or ``"plane"``.
        title: plain text.
        words: plain text.
    """
    shown = record["views"].get(view, record["views"]["train"])
    reads = record["own"] if view == "own" else shown["reads"]
    seen = _plane(record["plane"]) if view == "plane" else _picture(record, "clean" if view == "own" else view)
    cards = _cards(record, reads, view)
    return (
        f'<div class="front st-front"><figure class="front-seen">{seen}</figure>'
        f'<div class="front-words" aria-live="polite"><h1>{html.escape(title)}</h1><p>{html.escape(words)}</p></div>'
        f'<ul class="front-four">{cards}</ul></div>'
    )


def dragged(record: Mapping[str, Any]) -> list[dict[str, str]]:
    """For each recorded ε, its number as text and the HTML of the image and of the four answers."""
    return [
        {"eps": f"{stop['eps']:.2f}", "seen": _seen(stop, record["label"], is_clean=stop["eps"] == 0),
         "four": _cards(record, stop["reads"], "drag")}
        for stop in record["drag"]
    ]


def _cards(record: Mapping[str, Any], reads: Sequence[Mapping[str, Any]], view: str) -> str:
    """The four answers, each with the name of its task and what is behind it."""
    before = record["views"]["clean"]["reads"]
    return "".join(
        f"<li><h2>{name_of(system)}</h2>{_answer(answer)}{_behind(system, answer, clean, view)}"
        f'<p class="front-kind"><b>{html.escape(system["long_name"])}</b><br>{html.escape(system["answers"])}</p></li>'
        for system, answer, clean in zip(record["systems"], reads, before, strict=True)
    )


def name_of(system: Mapping[str, Any]) -> str:
    """The short name of a system's task."""
    return NAMES[str(system["name"]).rpartition("-")[2]]


def read_as(decoded: int) -> str:
    """A decoded label as text; -1 is None."""
    return "None" if decoded < 0 else str(decoded)


def _picture(record: Mapping[str, Any], view: str) -> str:
    """The image of a view, and the sentence under it."""
    return _seen(record["views"][view], record["label"], is_clean=view == "clean")


def _seen(shown: Mapping[str, Any], label: int, *, is_clean: bool = False) -> str:
    """An image, and the sentence under it."""
    if is_clean:
        caption = f"the image as it is: a {label}"
    elif shown["unmoved"]:
        caption = "after the attack: not one pixel has changed"
    else:
        caption = f"after the attack: still a {label}"
    return f'<img src="{shown["picture"]}" alt="{caption}"><figcaption>{caption}</figcaption>'


def _plane(plane: Mapping[str, Any]) -> str:
    """RBC's plane, with the steps of an attack drawn as dots."""
    dots = "".join(
        f'<i class="{"front-stuck" if k == 0 else "front-end" if k == len(plane["trail"]) - 1 else "front-way"}" '
        f'style="left:{100 * x:.1f}%;top:{100 * (1 - y):.1f}%"></i>'
        for k, (x, y) in enumerate(plane["trail"])
    )
    words = (f"RBC in the plane: the gradient of its training loss is 0 on {100 * plane['flat_share']:.0f} % of it. An "
             "attack on that loss stays where it starts, one on the decision walks across the border.")
    return (f'<div class="front-plane"><img src="{plane["picture"]}" alt="{words}">{dots}</div>'
            "<figcaption>RBC in the plane. Full colour: gradient 0. Blue dot: the start. Orange dot: the end."
            "</figcaption>")


def _answer(answer: Mapping[str, Any]) -> str:
    """A decoded label, with the sign and word of its outcome."""
    sign, word = SIGNS[answer["outcome"]]
    return (f'<div class="front-answer lab-{answer["outcome"]}"><b>{read_as(answer["decoded"])}</b>'
            f"<span>{sign} {word}</span></div>")


def _behind(system: Mapping[str, Any], answer: Mapping[str, Any], clean: Mapping[str, Any], view: str) -> str:
    """The outputs behind an answer as bars, bits or a line; in the view “own”, the system's attacked image."""
    read = read_as(answer["decoded"])
    if view == "own":
        words = f"the {clean['decoded']}, attacked on {name_of(system)} itself and read as {read}"
        return f'<img class="front-own-picture" src="{answer["picture"]}" alt="{words}">'
    drawn: Sequence[float] = answer["drawn"]
    if answer["shape"] == "bars":
        drawing, words = _bars(drawn, answer), f"{len(drawn)} scores, the largest for {read}"
    elif answer["shape"] == "bits":
        bits = "".join("1" if v > 0 else "0" for v in drawn)
        drawing, words = _bits(drawn, clean["drawn"]), f"{len(drawn)} bits, {bits}: read as {read}"
    else:
        drawing = _line(drawn[0], system["intervals"], clean["decoded"])
        words = f"a line of {len(system['intervals'])} intervals; the output lies in " + (
            "none of them" if answer["decoded"] < 0 else f"that of {read}")
    return f'<div class="front-drawn front-{answer["shape"]}" role="img" aria-label="{words}">{drawing}</div>'


def _bars(drawn: Sequence[float], answer: Mapping[str, Any]) -> str:
    """A bar for each class; the largest has the colour of the outcome."""
    won = f";background:{COLOURS[answer['outcome']]}"
    return "".join(
        f'<div><i style="height:{0.1 + 3.1 * v:.2f}rem{won if k == answer["decoded"] else ""}"></i>'
        f'<em class="{"front-won" if k == answer["decoded"] else "front-lost"}">{k}</em></div>'
        for k, v in enumerate(drawn)
    )


def _bits(drawn: Sequence[float], clean: Sequence[float]) -> str:
    """A gauge for each bit and its value; values that the attack changed are marked."""
    return "".join(
        f'<div><i style="--top:{50 - max(v, 0) / 3.2 * 100:.0f}%;--size:{abs(v) / 3.2 * 100:.0f}%"></i>'
        f'<em class="{"front-kept" if (v > 0) == (before > 0) else "front-flip"}">{int(v > 0)}</em></div>'
        for v, before in zip(drawn, clean, strict=True)
    )


def _line(output: float, intervals: Sequence[Sequence[float]], label: int) -> str:
    """The line of intervals, hatched where None is read, and the output on it."""
    intervals_html = "".join(
        f'<i class="{"front-mine" if k == label else "front-else"}" '
        f'style="left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%"></i>' for k, (low, high) in enumerate(intervals)
    )
    numbers = "".join(f'<em style="left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%">{k}</em>'
                      for k, (low, high) in enumerate(intervals))
    marker = f'<b style="left:{100 * min(max(output, 0), 1):.1f}%"></b>'
    return f'<div class="front-track">{intervals_html}{marker}</div>{numbers}'
