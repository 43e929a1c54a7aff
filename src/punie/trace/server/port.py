"""Choosing and checking the port of a server."""

from __future__ import annotations

import socket

from punie.trace.errors import ServerError


def listening_port(host: str, port: int) -> int:
    """`port`, or a free one if it is 0, after binding it for a moment as the server will.

    Raises `ServerError` if another program has it: its answers would be taken for those of our server.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            chosen: int = probe.getsockname()[1]
            return chosen
    except OSError as error:
        raise ServerError(
            f"the server can't listen on {host}:{port}: {error.strerror or error}",
            remedy="Choose another port, or 0 for a free one, and an address of this machine.",
        ) from error


def url(host: str, port: int) -> str:
    """`http://HOST:PORT/v1` as a client on this machine reaches it."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - translated, not bound
    return f"http://[{reachable}]:{port}/v1" if ":" in reachable else f"http://{reachable}:{port}/v1"
