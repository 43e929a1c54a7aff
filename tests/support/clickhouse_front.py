"""ClickHouse's HTTP interface in front of its engine in this process: as much of it as clickhouse-connect speaks.

Queries in the body or the URL, parameters as `param_NAME`, settings, the format in the query. One client at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from chdb_engine import session

USER, PASSWORD = "reader", "s3cret:word"
_LOCK = threading.Lock()


class _Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        given = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        sql = "\n".join(part for part in (given.get("query", ""), body) if part)
        if not self._is_known():
            self._answer(403, b"Code: 516. DB::Exception: reader: Authentication failed")
            return
        params = {
            key.removeprefix("param_"): value for key, value in given.items() if key.startswith("param_")
        }
        try:
            self._answer(200, _ask(sql, given.get("database", "default"), params))
        except RuntimeError as error:
            self._answer(400, str(error).encode())

    do_GET = do_POST  # noqa: N815 - as its base has it

    def _is_known(self) -> bool:
        from base64 import b64decode

        told = self.headers.get("Authorization", "").removeprefix("Basic ")
        return b64decode(told).decode() == f"{USER}:{PASSWORD}"

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if status != 200:
            self.send_header("X-ClickHouse-Exception-Code", "516" if status == 403 else "60")
        self.send_header("X-ClickHouse-Server-Display-Name", "tests")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - as its base has it
        """Say nothing."""


def _ask(sql: str, database: str, params: dict[str, str]) -> bytes:
    with _LOCK:
        engine = session()
        engine.query(f"USE `{database}`")
        try:
            return bytes(engine.query(sql, "TabSeparated", params=params).bytes())
        finally:
            engine.query("USE default")


@contextmanager
def clickhouse_front() -> Iterator[int]:
    """The port of a server on the loopback address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Front) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
