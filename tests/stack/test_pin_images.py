"""The script that pins images, with a registry that answers as Docker's does. None is reachable here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from stack_programs import ROOT

DOCKER = """#!/bin/sh
case "$4" in
  *{refused}*) echo "ERROR: $4: not found" >&2; exit 1 ;;
esac
printf '{{"mediaType": "index", "digest": "sha256:%s"}}' "$(printf %s "$4" | sha256sum | cut -c 1-64)"
"""


def pin(folder: Path, refused: str = "nothing") -> subprocess.CompletedProcess[str]:
    (folder / "bin").mkdir(exist_ok=True)
    docker = folder / "bin" / "docker"
    docker.write_text(DOCKER.format(refused=refused))
    docker.chmod(0o755)
    (folder / "collector").mkdir(exist_ok=True)
    script = folder / "collector" / "pin_images.py"
    script.write_text((ROOT / "collector" / "pin_images.py").read_text())
    return subprocess.run(
        [sys.executable, str(script)],
        env={"PATH": f"{folder / 'bin'}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def compose(tmp_path: Path) -> Path:
    file = tmp_path / "docker-compose.yml"
    file.write_text((ROOT / "docker-compose.yml").read_text())
    return file


def test_every_image_gets_its_digest_and_a_second_time_changes_nothing(compose: Path) -> None:
    before = compose.read_text()
    assert pin(compose.parent).returncode == 0
    pinned = compose.read_text()
    images = [line.rpartition(" ")[2] for line in pinned.splitlines() if " image: " in f" {line}"]
    literal = [image for image in images if not image.startswith("*")]
    assert len(literal) == 5
    for image in literal:
        name, _, digest = image.partition("@sha256:")
        assert ":" in name
        assert len(digest) == 64
    for image in literal:
        pinned = pinned.replace(image, image.partition("@")[0])
    assert pinned == before
    assert pin(compose.parent).returncode == 0


def test_without_all_of_them_nothing_is_written(compose: Path) -> None:
    before = compose.read_text()
    done = pin(compose.parent, refused="grafana")
    assert done.returncode == 1
    assert done.stderr.startswith("docker-compose.yml is as it was: grafana/grafana:")
    assert compose.read_text() == before
