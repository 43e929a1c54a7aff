"""What a command leaves on standard error when all went well: nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from parquet_spans import write_parquet
from query_trees import forty_queries, seeded


@pytest.mark.parametrize("more", [(), ("--in-database",)])
def test_a_report_of_parquet_ends_without_a_word(tmp_path: Path, more: tuple[str, ...]) -> None:
    file = write_parquet(tmp_path / "spans.parquet", forty_queries(seeded(3)))
    command = [sys.executable, "-m", "punie.trace", "report", file, *more]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stderr == ""
