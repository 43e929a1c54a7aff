"""What a reader of the pages has: models, an agent, a suite, runs; servers, a Jaeger and a ClickHouse that answer.

The names are those of the pages, so that their commands can be typed word for word. Addresses are those of stand-ins on
this machine.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from clickhouse_front import PASSWORD, USER, clickhouse_front
from clickhouse_tables import OTEL_TRACES, exporter_row, make_database
from loopback import serving_http
from page_server import page_server
from parquet_spans import Form, write_parquet

from punie.trace.demo.paths import draft_model_path, target_model_path, wordy_adapter_path, workspace_path
from punie.trace.store.runs.run_folder import RunFolder

AGENT: Final = """\
from pydantic_ai import Agent

agent = Agent(name="mine")
"""
SUITE: Final = """\
name = "mine"
version = 1
[[query]]
id = "injection"
text = "What is dependency injection in Django?"
expect = "any"
"""
CONFIG: Final = '[server]\nprompt_cache = "server"\n'
DATABASE: Final = "of_pages"  # other tests of the same process have an `otel`
RUN: Final = "runs/2026-11-23T14-05-09-demo"


@dataclass(frozen=True)
class Reader:
    """Somebody at a prompt in `folder`, with a home; `addresses` are what stands in for those of the pages.

    `collector` is the port of the Collector on the reader's machine.
    """

    folder: Path
    home: Path
    addresses: Mapping[str, str]
    collector: int

    def types(self, command: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
        """What a shell makes of a command, its addresses replaced."""
        for pattern, here in self.addresses.items():
            command = re.sub(pattern, here, command)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        environment = kept | {
            "HOME": str(self.home),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "BROWSER": "true",  # it shows nothing
            "OTLP_HTTP_PORT": str(self.collector),
            "CLICKHOUSE_PASSWORD": PASSWORD,
        }
        return subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", command],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )


def furnish(folder: Path, home: Path, finished: Path) -> None:
    """Put into the folders what the pages name; `finished` is a run."""
    (home / "models").mkdir(parents=True)
    (home / "models/Qwen3-30B-A3B-5bit").symlink_to(target_model_path())
    (home / "models/Qwen2.5-0.5B").symlink_to(draft_model_path())
    (home / "adapters").mkdir()
    (home / "adapters/brief").symlink_to(wordy_adapter_path())
    (home / "code").mkdir()
    shutil.copytree(workspace_path(), home / "code/shop")
    (folder / "myapp").mkdir(parents=True)
    (folder / "myapp/agents.py").write_text(AGENT)
    for name in ("my-suite.toml", "mine.toml"):
        (folder / name).write_text(SUITE)
    for name, target in (
        ("M", target_model_path()),
        ("…", target_model_path()),
        ("D1", draft_model_path()),
        ("D2", draft_model_path()),
    ):
        (folder / name).symlink_to(target)
    shutil.copytree(finished, folder / RUN)
    (folder / "RUN").symlink_to(folder / RUN)
    for number, name in enumerate(("before/1", "before/2", "after/1", "after/2"), start=1):
        _copy_with_other_traces(finished, folder / "runs" / name, number)
    for side in ("before", "after"):
        (folder / side).symlink_to(folder / "runs" / side)
    (folder / "improvements/2026-11-30T14-05-09-demo").mkdir(parents=True)
    (folder / "improvements/2026-11-30T14-05-09-demo/config.toml").write_text(CONFIG)
    (folder / "traces.json.gz").write_bytes(gzip.compress(b"".join(_journals(finished))))
    for file, run in (
        ("spans.parquet", RUN),
        ("spans/a.parquet", "runs/before/1"),
        ("more/b.parquet", "runs/before/2"),
    ):
        (folder / file).parent.mkdir(exist_ok=True)
        write_parquet(folder / file, RunFolder.open(folder / run).load_spans().spans, Form.EXPORTER)


def _copy_with_other_traces(run: Path, copy: Path, number: int) -> None:
    shutil.copytree(run, copy)
    for journal in (copy / "spans").glob("*.jsonl"):
        journal.write_text(re.sub(r'("traceId": ?")..', rf"\g<1>{number:02x}", journal.read_text()))


def _journals(run: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((run / "spans").glob("*.jsonl"))]


@contextmanager
def stand_ins(finished: Path, collector: int) -> Iterator[dict[str, str]]:
    """Patterns of addresses on the pages, and what answers here: model servers, a Jaeger, a ClickHouse, a Collector."""
    make_database(
        DATABASE, OTEL_TRACES, map(exporter_row, RunFolder.open(finished).load_spans().spans), "otel_traces"
    )
    with ExitStack() as open_ones:
        model = open_ones.enter_context(serving_http(page_server("/v1", ["qwen3-30b-a3b"], {})))
        jaeger = open_ones.enter_context(serving_http(_jaeger(finished)))
        clickhouse = open_ones.enter_context(clickhouse_front())
        yield {
            r"http://127\.0\.0\.1:(1234|8080)(?=/v1)": model,
            r"jaeger://[\w.]+:\d+": f"jaeger://{urlsplit(jaeger).netloc}",
            r"https://otlp\.example\.com:4318": f"http://127.0.0.1:{collector}",
            r"clickhouse://\w+@[\w.]+/otel": f"clickhouse://{USER}@127.0.0.1:{clickhouse}/{DATABASE}",
        }


def _jaeger(run: Path) -> type[BaseHTTPRequestHandler]:
    """Answers any search with the whole run."""
    lines = [json.loads(line) for journal in _journals(run) for line in journal.splitlines()]
    found = {"result": {"resourceSpans": [one for line in lines for one in line["resourceSpans"]]}}

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            body = json.dumps({"services": ["agent"]} if self.path.endswith("services") else found).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
