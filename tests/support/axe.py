"""axe-core, which finds what people with other senses or hands can't use: https://github.com/dequelabs/axe-core

It is npm's package, of one version, fetched once into the user's cache; a test skips where there is neither.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Final

import pytest
from stack_programs import cache_dir

VERSION: Final = "4.14.1"
_FILE: Final = "package/axe.min.js"


def axe_script() -> str:
    """The whole library, to be run in a page."""
    kept = cache_dir().parent / f"axe-core-{VERSION}.min.js"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        _fetch(kept)
    return kept.read_text("utf-8")


def _fetch(kept: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"neither {kept} nor npm, which fetches axe-core {VERSION}")
    folder = kept.parent / f".axe-core-{VERSION}"
    folder.mkdir(exist_ok=True)
    command = [npm, "pack", f"axe-core@{VERSION}", "--silent"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=100)
    if done.returncode:
        pytest.skip(f"npm can't fetch axe-core {VERSION}: {done.stderr.strip()[-200:]}")
    with tarfile.open(folder / f"axe-core-{VERSION}.tgz") as packed:
        found = packed.extractfile(_FILE)
        assert found is not None
        kept.write_bytes(found.read())
    shutil.rmtree(folder)
