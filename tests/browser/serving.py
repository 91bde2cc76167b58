"""A server of the app and a browser for it, both always ended."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]
MOVING = """() => {
    const app = document.querySelector('[data-testid=stApp]');
    const charts = [...document.querySelectorAll('[data-testid=stPlotlyChart]')];
    const head = '.lab-lead, .st-front, [data-testid=stAlert]';
    const still = {
        'its script': app && app.dataset.testScriptState === 'notRunning',
        'a chart': charts.every(c => c.querySelector('.main-svg')),
        'a place to be filled': !document.querySelector('[data-testid=stSkeleton]'),
        'something stale': !document.querySelector('[data-stale=true]'),
        'a training run in the page': !document.querySelector('.lab-live'),
        'an attack': !document.querySelector('[class*=_working]'),
        'the lead': document.querySelector(head)
            || [...document.querySelectorAll('*')].some(each => each.shadowRoot?.querySelector(head)),
    };
    return Object.keys(still).filter(part => !still[part]);
}"""
"""What a page still waits for."""

SETTLED = f"() => ({MOVING})().length === 0"


def chromium() -> str | None:
    """Where a Chromium is, if there is one."""
    result = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    return result or shutil.which("google-chrome")


@contextlib.contextmanager
def serving(folder: Path = ROOT, **environment: str) -> Iterator[str]:
    """The address of an app server on a free port, started in a folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app"), "--server.port", str(port),
               "--server.address", "127.0.0.1"]
    server = subprocess.Popen(
        command, cwd=folder, env=os.environ | {"OMP_NUM_THREADS": "1"} | environment, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(720):
            if server.poll() is not None:
                raise RuntimeError(f"the server ended with code {server.returncode}")
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                break
            time.sleep(0.25)
        else:
            raise RuntimeError("the server did not answer within three minutes")
        yield address
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@contextlib.contextmanager
def browsing() -> Iterator[Any]:
    """A Playwright browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def settled(page: Any, timeout: float = 240.0) -> None:
    """Wait until the script has run, its charts are drawn, and nothing is stale."""
    from playwright.sync_api import TimeoutError as Expired

    try:
        page.wait_for_function(SETTLED, timeout=timeout * 1000)
    except Expired:
        raise AssertionError(f"{page.url} still waits for {', '.join(page.evaluate(MOVING))}") from None
