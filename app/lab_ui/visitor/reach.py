"""The address under which phones reach this server."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

import streamlit as st
from streamlit import config
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from tasklab.cli import app as cli

NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")


def base(host: str | None = None) -> str | None:
    """The address of the app for other machines, such as ``http://192.168.1.20:8501``.

    It is the one in the teacher's own browser, unless that is a name of this machine for itself: then it is the
    machine's address in the network.

    Args:
        host: name or address of this machine, where the teacher knows better.

    Returns:
        None where other machines cannot reach the server.
    """
    port = config.get_option("server.port")
    parts = urlsplit(st.context.url or f"http://localhost:{port}")
    path = parts.path.rstrip("/").removesuffix("/room")
    if parts.hostname and not is_own(parts.hostname) and not host:
        return f"{parts.scheme}://{parts.netloc}{path}"
    if parts.hostname and is_own(parts.hostname) and is_own(config.get_option("server.address") or ""):
        return None
    name = host or own_address()
    return f"{parts.scheme}://{name}:{parts.port or port}{path}" if name else None


def is_own(host: str) -> bool:
    """Whether a host is a name by which a machine calls itself, which others cannot use.

    >>> is_own("localhost"), is_own("127.0.0.1"), is_own("::1"), is_own("192.168.1.20"), is_own("")
    (True, True, True, False, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def answers(host: str) -> bool:
    """Whether a text is a name or an address under which the server answers."""
    return bool(NAME.fullmatch(host)) and not is_own(host) and is_host_allowed(host)


def own_address() -> str | None:
    """The name that the server was given for others, else this machine's address in the network; None for none."""
    named = config.get_option("browser.serverAddress")
    if named and not is_own(named):
        return str(named)
    address = cli.own_address()
    return None if is_own(address) else address
