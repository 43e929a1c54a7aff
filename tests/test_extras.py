"""Hints to install something name what can be typed here."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
from importlib import metadata
from pathlib import Path

import pytest

from punie.trace.extras import install_command, install_hint, packages_of

EXTRAS = metadata.metadata("punie-trace").get_all("Provides-Extra") or []
SOURCES = Path(__file__).parents[1] / "src"


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_is_named_by_its_packages_which_are_on_the_index_whether_we_are_or_not(extra: str) -> None:
    packages = packages_of(extra)
    assert packages or (extra == "zstd" and sys.version_info >= (3, 14))
    words = shlex.split(install_hint(extra))
    assert tuple(words[-len(packages) :] if packages else ()) == packages
    assert "pip" in words
    assert "punie-trace" not in " ".join(words[words.index("install") + 1 :]).replace(sys.prefix, "")


def test_an_environment_for_a_moment_gets_packages_beside_it() -> None:
    found = install_command(["a>=1", "b"], Path("/home/me/.cache/uv/archive-v0/x1"))
    assert found == "uvx --from … --with 'a>=1' --with b punie-trace …"


@pytest.mark.parametrize(
    ("called_by", "on_path", "module", "begins"),
    [
        ("/a b/uv", False, False, "'/a b/uv' pip install --python /env "),
        (None, True, True, "uv pip install --python /env "),
        (None, False, True, f"{sys.executable} -m uv pip install --python /env "),
        (None, False, False, f"{sys.executable} -m ensurepip && {sys.executable} -m pip install "),
    ],
)
def test_what_installs_is_there(
    called_by: str | None,
    on_path: bool,
    module: bool,
    begins: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An environment that uv made has neither pip nor uv, unless somebody put them there."""
    found = importlib.util.find_spec
    missing = {"pip"} if module else {"pip", "uv"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else found(name))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("UV", raising=False)
    if called_by:
        monkeypatch.setenv("UV", called_by)
    if on_path:
        (tmp_path / "uv").write_text("#!/bin/sh\n")
        (tmp_path / "uv").chmod(0o755)
    assert install_command(["a"], Path("/env")) == f"{begins}a"


def test_no_sentence_names_a_command_that_needs_us_on_an_index() -> None:
    said = [
        path for path in SOURCES.rglob("*.py") if re.search(r"pip install[^\n]*punie-trace", path.read_text())
    ]
    assert said == []
