"""What the browser tests share: a browser, a server of a machine with digits alone, and tabs that are always closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.serving import browsing, chromium, serving
from tests.browser.visiting import Visit

MARKS = (
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine; set CHROMIUM to one"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for mark in MARKS:
                item.add_marker(mark)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(TASKLAB_DATA="/nowhere") as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsing() as browser:
        yield browser


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Callable[..., Visit]]:
    """A new tab on a page, such as ``"train?train_epochs=1"``."""
    visits: list[Visit] = []

    def go(page: str = "", **settings: Any) -> Visit:
        visits.append(Visit(browser, f"{address}/{page}", **settings))
        return visits[-1]

    yield go
    for tab in visits:
        tab.close()
