"""Make a release's files and check them: `python .ci/release.py vX.Y.Z`; without a tag all but the tag is checked.

The version stands in pyproject.toml alone. The wheel is installed into an empty environment, and the demo is run there.
"""

import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path

PROJECT = Path(__file__).parents[1]
DIST = PROJECT / "dist"
FOREIGN = re.compile(
    r"(^|/)(\.?venv[^/]*|__pycache__|\.git|\.mypy_cache)(/|$)|\.pyc$|^[^/]*/?(runs|benches|improvements)/"
)
URLS = ("Homepage", "Documentation", "Issues", "Changelog")  # pages of the index and errors link to them
UV = (sys.executable, "-m", "uv")


def main(tag: str | None) -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    version = project["version"]
    if tag is not None:
        check_tag(tag, version)
        check_urls(project.get("urls", {}))
    for old in DIST.glob("*"):
        old.unlink()
    run(*UV, "build", "--out-dir", DIST, PROJECT)
    wheel, sdist = next(DIST.glob("*.whl")), next(DIST.glob("*.tar.gz"))
    check_names(wheel.name, zipfile.ZipFile(wheel).namelist())
    with tarfile.open(sdist) as archive:
        check_names(sdist.name, archive.getnames())
    try_wheel(wheel, version)
    print(f"{wheel.name} and {sdist.name} are in {DIST}")


def check_tag(tag: str, version: str) -> None:
    if tag != f"v{version}":
        sys.exit(f"the tag is {tag}, the version in pyproject.toml {version}")
    if not re.search(
        rf"^## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)$",
        (PROJECT / "CHANGELOG.md").read_text(),
        re.MULTILINE,
    ):
        sys.exit(f"CHANGELOG.md has no section '## {version} (YYYY-MM-DD)'")


def check_urls(urls: dict[str, str]) -> None:
    missing = [name for name in URLS if not urls.get(name, "").startswith("https://")]
    if missing:
        sys.exit(
            f"[project.urls] in pyproject.toml lacks {', '.join(missing)}: see docs/project/releasing.md"
        )


def check_names(archive: str, names: list[str]) -> None:
    foreign = [name for name in names if FOREIGN.search(name)]
    if foreign:
        sys.exit(f"{archive} has what doesn't belong there: {', '.join(foreign[:5])}")


def try_wheel(wheel: Path, version: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder) / "venv"
        run(*UV, "venv", "--quiet", environment)
        run(*UV, "pip", "install", "--quiet", "--python", environment, wheel)
        program = environment / "bin" / "punie-trace"
        shown = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
        if shown.split() != ["punie-trace", version]:
            sys.exit(f"punie-trace --version says {shown.strip()!r}")
        run(program, "run", "--no-export", "--gate", "accuracy", "--runs", Path(folder) / "runs")


def run(*command: str | Path) -> None:
    print("+", *command, flush=True)
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
