"""The distribution leaves the `punie` namespace to whoever else is in it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]

OTHER_OWNER = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "punie"
version = "1.0"
[tool.hatch.build.targets.wheel]
packages = ["punie"]
"""

IMPORT_BOTH = "import punie, punie.trace, punie.trace.errors; print(punie.OWNER, punie.trace.__name__)"


def _uv(*arguments: str | Path) -> str:
    result = subprocess.run(
        [sys.executable, "-m", "uv", *arguments], capture_output=True, text=True, timeout=100, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    _uv("build", "--wheel", "--out-dir", out, PROJECT)
    return next(out.glob("*.whl"))


def test_the_wheel_does_not_own_the_namespace(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "punie/__init__.py" not in names
    assert "punie/trace/py.typed" in names
    assert "punie/trace/store/clickhouse/ledger_arrays.sql" in names
    assert "punie/trace/analysis/integrity/findings.toml" in names
    assert "punie/trace/workload/scoring/words.toml" in names
    assert "punie/trace/store/clickhouse/whole_traces.sql" in names
    assert "punie/trace/demo/models/target/model.safetensors" in names
    assert not [name for name in names if "__pycache__" in name or name.startswith("training/")]


def test_the_metadata_has_no_address_that_leads_nowhere() -> None:
    """No host has us yet, so there is none; once there is one, all that readers look for are named."""
    urls = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"].get("urls", {})
    assert urls.keys() in (set(), {"Homepage", "Documentation", "Issues", "Changelog"})
    assert [url for url in urls.values() if not url.startswith("https://") or "example" in url] == []


def test_a_release_needs_addresses(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(PROJECT / ".ci" / "release.py", tmp_path / ".ci")
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "9.0"\n')
    (tmp_path / "CHANGELOG.md").write_text("## 9.0 (2026-12-01)\n")
    command = [sys.executable, str(tmp_path / ".ci" / "release.py"), "v9.0"]
    refused = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert refused.returncode == 1
    assert "[project.urls]" in refused.stderr


def test_the_wheel_has_every_file_of_the_sources(wheel: Path) -> None:
    """One that is left out is missed only by who installs it: ignored names once hid a package of ours."""
    sources = PROJECT / "src"
    ours = {
        str(path.relative_to(sources))
        for path in (sources / "punie").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert ours - set(zipfile.ZipFile(wheel).namelist()) == set()


def test_the_source_archive_has_the_sources_and_no_environment(tmp_path: Path) -> None:
    """Built from a copy with an environment in it and without Git, as a packager's tree may be."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("src", "tests", "training", "pyproject.toml", "README.md", "LICENSE"):
        source = PROJECT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tree / name)
    for name in (".venv", "tests/.venv-highest", "training/venv"):
        (tree / name).mkdir()
        (tree / name / "pyvenv.cfg").write_text("home = /usr/bin\n")
    _uv("build", "--sdist", "--out-dir", tmp_path, tree)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    assert {"src/punie/trace/__main__.py", "training/dialogues.py", "tests/conftest.py", "README.md"} <= set(
        names
    )
    assert [name for name in names if "venv" in name or "__pycache__" in name] == []


def test_it_imports_next_to_a_package_that_owns_the_namespace(wheel: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "punie").mkdir(parents=True)
    (other / "pyproject.toml").write_text(OTHER_OWNER)
    (other / "punie" / "__init__.py").write_text("OWNER = 'other'\n")
    site = tmp_path / "site"
    _uv("pip", "install", "--no-deps", "--target", site, wheel, other)
    run = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, {str(site)!r}); {IMPORT_BOTH}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.stdout.split() == ["other", "punie.trace"], run.stderr
