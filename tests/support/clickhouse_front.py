"""ClickHouse's HTTP interface in front of its engine in this process: as much of it as its Python and Go clients speak.

Queries in the body or the URL, parameters as `param_NAME`, settings, the format in the query or in the URL; inserts in
the Native format. One client at a time. The Go client, that of the Collector's exporter, must not ask for compression.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from chdb_engine import session
from loopback import serving_http

USER, PASSWORD = "reader", "s3cret:word"
_NATIVE = " FORMAT Native"
_LOCK = threading.Lock()


class _Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        given = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        body = self._body()
        if not self._is_known():
            self._answer(403, b"Code: 516. DB::Exception: reader: Authentication failed")
            return
        try:
            self._answer(200, _reply(given, body))
        except RuntimeError as error:
            self._answer(400, str(error).encode())

    do_GET = do_POST  # noqa: N815 - as its base has it

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

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


def _reply(given: dict[str, str], body: bytes) -> bytes:
    query, database = given.get("query", ""), given.get("database", "default")
    if query.endswith(_NATIVE):
        return _insert(query.removesuffix(_NATIVE), body, database)
    sql = "\n".join(part for part in (query, body.decode()) if part)
    params = {key.removeprefix("param_"): value for key, value in given.items() if key.startswith("param_")}
    if given.get("default_format") == "Native":
        return native_block(_ask(sql, database, params, "JSONCompact"))
    return _ask(sql, database, params)


def _ask(sql: str, database: str, params: dict[str, str], default_format: str = "TabSeparated") -> bytes:
    with _LOCK:
        engine = session()
        engine.query(f"USE `{database}`")
        try:
            return bytes(engine.query(sql, default_format, params=params).bytes())
        finally:
            engine.query("USE default")


def _insert(into: str, block: bytes, database: str) -> bytes:
    with NamedTemporaryFile(suffix=".native") as file:
        file.write(block)
        file.flush()
        rows = f"SELECT * FROM file('{file.name}', Native)"  # noqa: S608 - a name of ours
        return _ask(f"{into} {rows}", database, {})


def native_block(answer: bytes) -> bytes:
    """A JSONCompact answer of texts and unsigned numbers as one block of Native, as a server of today sends it.

    The engine itself writes blocks without the parts that the protocol's newer revisions have: what the block is
    (no overflow, no bucket), and that a column is not serialized in a way of its own.
    """
    if not answer:
        return b""
    found = json.loads(answer)
    rows = found["data"]
    parts = [b"\x01\x00\x02\xff\xff\xff\xff\x00", _varint(len(found["meta"])), _varint(len(rows))]
    for place, column in enumerate(found["meta"]):
        parts += [_text(column["name"]), _text(column["type"]), b"\x00"]
        parts += [_value(row[place], column["type"]) for row in rows]
    return b"".join(parts)


def _value(value: Any, kind: str) -> bytes:  # noqa: ANN401 - of JSON
    if kind == "String":
        return _text(value)
    bits = int(kind.removeprefix("UInt"))
    return int(value).to_bytes(bits // 8, "little")


def _text(text: str) -> bytes:
    return _varint(len(text.encode())) + text.encode()


def _varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


@contextmanager
def clickhouse_front() -> Iterator[int]:
    """The port of a server on the loopback address."""
    with serving_http(_Front) as url:
        yield int(url.rpartition(":")[2])
