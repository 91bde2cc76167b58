"""Text from files and from strangers, made fit to be shown: on one line, not too long, nothing in it interpreted."""

from __future__ import annotations

import html
import re

MAX_SHOWN = 400
"""Characters of a whole sentence, such as an error message."""

_JOINER = "\u2060"
"""An invisible character that ends what would else become a link or an icon by itself."""


def one_line(text: object, most: int = MAX_SHOWN) -> str:
    """The text on one line: control characters become spaces, and what is beyond ``most`` characters becomes "…".

    >>> one_line("a\\nb\\x1b[31m"), one_line("a long name", 7)
    ('a b [31m', 'a long…')
    """
    whole = str(text)
    some = "".join(c if c.isprintable() else " " for c in whole[:most])
    return some if len(whole) <= most else some[: most - 1] + "…"


def in_html(text: object, most: int = MAX_SHOWN) -> str:
    """The text as HTML that shows it; plotly's texts are HTML as well.

    >>> in_html('<b>"7"</b>')
    '&lt;b&gt;&quot;7&quot;&lt;/b&gt;'
    """
    return html.escape(one_line(text, most))


def in_markdown(text: object, most: int = MAX_SHOWN) -> str:
    r"""The text as Markdown that shows it: no emphasis, link, picture, code, formula, HTML, icon or address to click.

    >>> in_markdown("![x](http://a.b) efficientnet_b0"), in_markdown("1. *a*")
    ('!\\[x\\](http:\u2060//a.b) efficientnet_b0', '1\\. \\*a\\*')
    """
    found = re.sub(r"[\\`*\[\]<>|~$&]", r"\\\g<0>", one_line(text, most))
    found = re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", found)  # within a word it means nothing
    found = re.sub(r"^(\s*\d*)([.)]|[#+=-]+)(?=\s|$)", r"\1\\\2", found)  # a heading or a list
    return re.sub(r":(?=[A-Za-z/])|\bwww(?=\.)|@", rf"\g<0>{_JOINER}", found)
