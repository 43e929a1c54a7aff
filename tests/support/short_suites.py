"""A few questions of the suite that is shipped, for runs that need no more."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def write_suite(file: Path, *names: str) -> str:
    """A suite of the questions with these names; returns its path."""
    shipped = (files("punie.trace.workload") / "suites" / "discrimination.toml").read_text()
    head, *queries = shipped.split("[[query]]")
    kept = [query for query in queries if any(f'"{name}"' in query for name in names)]
    assert len(kept) == len(names)
    file.write_text("[[query]]".join([head, *kept]))
    return str(file)
