"""Names every image of `docker-compose.yml` by its digest too: `python3 collector/pin_images.py`.

A tag can be moved to another image, a digest can't. For each `image: NAME:VERSION` the registry is asked for the digest
of that version (`docker buildx imagetools inspect`), which is written behind it: `NAME:VERSION@sha256:…`. Run it again
after a version has changed. It writes nothing unless it gets all of them.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).parent.parent / "docker-compose.yml"
_IMAGE: Final = re.compile(
    r"^(\s*image: (?:&\w+ )?)([\w./-]+:[\w.-]+)(?:@sha256:[0-9a-f]{64})?$", re.MULTILINE
)
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


def main(file: Path = FILE) -> int:
    """Write `file` with digests; 1 if one couldn't be got."""
    text = file.read_text(encoding="utf-8")
    try:
        digests = {image: digest(image) for _, image in _IMAGE.findall(text)}
    except (OSError, ValueError) as error:
        print(f"{file.name} is as it was: {error}", file=sys.stderr)
        return 1
    pinned = _IMAGE.sub(lambda found: f"{found[1]}{found[2]}@{digests[found[2]]}", text)
    file.write_text(pinned, encoding="utf-8")
    for image, found in digests.items():
        print(f"{image}@{found}")
    return 0


def digest(image: str) -> str:
    """The digest that the registry has for `image`, of all its platforms together.

    Raises OSError without Docker, ValueError if the registry gives none.
    """
    command = ["docker", "buildx", "imagetools", "inspect", image, "--format", "{{json .Manifest}}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"{image}: {done.stderr.strip() or f'docker ended with {done.returncode}'}")
    found = str(json.loads(done.stdout).get("digest"))
    if not _DIGEST.fullmatch(found):
        raise ValueError(f"{image}: the registry's answer has no digest")
    return found


if __name__ == "__main__":
    sys.exit(main())
