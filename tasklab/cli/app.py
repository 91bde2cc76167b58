"""``tasklab app``: the app in a browser, for this machine or for everybody in the room."""

from __future__ import annotations

import argparse
import os
import runpy
import socket
import sys
from pathlib import Path
from typing import Any

from tasklab.cli.options import whole
from tasklab.console import UsageError, say

FIRST_PORT, LAST_PORT = 8501, 8599
"""The first and the last of the ports that are tried, in ascending order, if none is given."""

EVERYWHERE = "0.0.0.0"
"""All addresses of this machine, as a server listens to them."""


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    command = commands.add_parser("app", help="start the app, and open it in a browser")
    command.add_argument("--port", type=whole(1, 65_535),
                         help=f"(default: the first one that is free, from {FIRST_PORT} upwards)")
    command.add_argument("--public", action="store_true",
                         help="let in everybody who types this machine's address, as in a lecture hall")
    command.add_argument("--data", type=Path, metavar="DIR",
                         help="folder of the data sets (default: $TASKLAB_DATA or the user's cache)")
    command.set_defaults(call=_serve)


def folder() -> Path:
    """The folder of the app: inside the installed package, or beside it in a clone of the repository."""
    package = Path(__file__).parents[1]
    inside = package / "_app"
    return inside if inside.is_dir() else package.parent / "app"


def own_address() -> str:
    """The address at which other machines reach this one; 127.0.0.1 if it is not in a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent: it tells which address would be used
            address: str = probe.getsockname()[0]
        except OSError:
            return "127.0.0.1"
    return address


def _serve(args: argparse.Namespace) -> int:
    if args.data is not None:
        if not args.data.is_dir():
            raise UsageError(f"expected a folder of data sets, got {args.data}; try one that exists")
        os.environ["TASKLAB_DATA"] = str(args.data.resolve())
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: one thread is fastest for a single image
    listening = EVERYWHERE if args.public else "localhost"
    port = _port(args.port, listening)
    name = own_address() if args.public else "localhost"
    if args.public:
        if name.startswith("127."):
            say("This machine is in no network, so nobody else can reach the app.")
        say(f"Everybody in the same network can open the app by typing:  http://{name}:{port}")
    sys.argv = ["streamlit", "run", str(folder() / "streamlit_app.py"), "--server.port", str(port),
                "--server.address", listening, "--browser.serverAddress", name]
    runpy.run_module("streamlit", run_name="__main__")  # in this process, which Ctrl-C and other signals then reach
    return 0


def _port(asked: int | None, address: str) -> int:
    """A free port: the given one, or the first of the usual ones.

    Raises:
        ValueError: it is taken, or all of them are.
    """
    if asked is not None:
        if not _is_free(asked, address):
            raise ValueError(f"expected a free port, got {asked}, which another program uses; try --port {asked + 1}")
        return asked
    for port in range(FIRST_PORT, LAST_PORT + 1):
        if _is_free(port, address):
            return port
    raise ValueError(f"expected a free port in {FIRST_PORT}..{LAST_PORT}, got none; try --port with another one")


def _is_free(port: int, address: str) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that has just been left is free
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
