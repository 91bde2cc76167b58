"""Text for people: on one line, of limited length, escaped for HTML or Markdown; and durations in words."""

from __future__ import annotations

import html
import re

MAX_SHOWN = 400
"""Default length limit in characters, for a sentence such as an error message."""

_JOINER = "\u2060"
"""An invisible character that keeps text from being turned into a link or an icon."""


def one_line(text: object, most: int = MAX_SHOWN) -> str:
    """The text on one line of up to ``most`` characters: control characters become spaces, and the rest becomes "…".

    >>> one_line("a\\nb\\x1b[31m"), one_line("a long name", 7)
    ('a b [31m', 'a long…')
    """
    whole = str(text)
    line = "".join(c if c.isprintable() else " " for c in whole[:most])
    return line if len(whole) <= most else line[: most - 1] + "…"


def in_html(text: object, most: int = MAX_SHOWN) -> str:
    """The text escaped for HTML, on one line; plotly's texts are HTML, too.

    >>> in_html('<b>"7"</b>')
    '&lt;b&gt;&quot;7&quot;&lt;/b&gt;'
    """
    return html.escape(one_line(text, most))


def in_markdown(text: object, most: int = MAX_SHOWN) -> str:
    r"""The text escaped for Markdown, on one line: without emphasis, links, images, code, formulas, HTML or icons.

    >>> in_markdown("![x](http://a.b) efficientnet_b0"), in_markdown("1. *a*")
    ('!\\[x\\](http:\u2060//a.b) efficientnet_b0', '1\\. \\*a\\*')
    """
    escaped = re.sub(r"[\\`*\[\]<>|~$&]", r"\\\g<0>", one_line(text, most))
    escaped = re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", escaped)  # inside a word it has no meaning
    escaped = re.sub(r"^(\s*\d*)([.)]|[#+=-]+)(?=\s|$)", r"\1\\\2", escaped)  # a heading or a list
    return re.sub(r":(?=[A-Za-z/])|\bwww(?=\.)|@", rf"\g<0>{_JOINER}", escaped)


def unbroken(text: str) -> str:
    """The text with spaces at which no line ends before “%” and around “=”.

    >>> unbroken("4 % at ε = 0.2")
    '4\xa0% at ε\xa0=\xa00.2'
    """
    return text.replace(" %", "\u00a0%").replace(" = ", "\u00a0=\u00a0")


def duration(seconds: float) -> str:
    """A duration in seconds, minutes or hours, for people.

    >>> duration(4.2), duration(90), duration(7300)
    ('5 s', '2 min', '2.0 h')
    """
    if seconds < 60:
        return f"{max(1, -int(-seconds // 1))} s"
    return f"{-int(-seconds // 60)} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
