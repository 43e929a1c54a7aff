"""The programs of the stack for tests: Jaeger and the Collector, built once, and Prometheus and Chromium.

    python3 tests/support/stack_programs.py          build what is missing, say where everything is
    python3 tests/support/stack_programs.py --apt    install Debian's packages too (as root)

Go builds both from their modules, checksums by Go's own database: Jaeger from the newest version that its module
path resolves, the Collector by its builder from `collector/builder.yaml`. They stay in
`${XDG_CACHE_HOME:-~/.cache}/punie-trace/stack`, one folder a version; a second call builds nothing. Needs the standard
library alone, since it runs before anything is installed.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
MANIFEST: Final = ROOT / "collector" / "builder.yaml"
COLLECTOR_VERSION: Final = "0.161.0"
JAEGER_VERSION: Final = "2.13.0"
JAEGER_MODULE: Final = "github.com/jaegertracing/jaeger@v1.76.0"  # the same code under its old number
BUILDER_MODULE: Final = f"go.opentelemetry.io/collector/cmd/builder@v{COLLECTOR_VERSION}"
DEBIAN_PACKAGES: Final = {
    "prometheus": ("prometheus",),
    "promtool": ("prometheus",),
    "chromium": ("chromium", "fonts-dejavu-core"),  # without a font the page is empty boxes
    "chromedriver": ("chromium-driver",),
}

_STRIPPED: Final = "-s -w"  # no symbol tables: a third of the size


def cache_dir() -> Path:
    """Where built programs stay."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "punie-trace" / "stack"


def find(program: str) -> Path | None:
    """`jaeger`, `otelcol`, or a program on the PATH; None if it isn't there. Builds nothing."""
    if program in _BUILT:
        built = _place(program)
        return built if built.is_file() else None
    found = shutil.which(program)
    return Path(found) if found else None


def remedy(program: str) -> str:
    """What to do if `find` finds nothing."""
    if program in _BUILT:
        return "python3 tests/support/stack_programs.py (needs Go)"
    return f"apt-get install {' '.join(DEBIAN_PACKAGES.get(program, (program,)))}"


def build(program: str) -> Path:
    """The program `jaeger` or `otelcol`, built if need be; whole or not at all. Raises `CalledProcessError`."""
    target = _place(program)
    cache = cache_dir()
    cache.mkdir(parents=True, exist_ok=True)
    with _lock(cache / f".{program}.lock"):
        if target.is_file():
            return target
        work = Path(tempfile.mkdtemp(prefix=f".{program}-", dir=cache))
        try:
            ready = work / "ready"
            ready.mkdir()
            _BUILT[program](work, ready / program)
            ready.rename(target.parent)
        finally:
            _remove(work)
    return target


def _place(program: str) -> Path:
    machine = f"{platform.system()}-{platform.machine()}".lower()
    if program == "otelcol":
        components = hashlib.sha256(MANIFEST.read_bytes()).hexdigest()[:12]
        return cache_dir() / f"otelcol-{COLLECTOR_VERSION}-{components}-{machine}" / program
    return cache_dir() / f"jaeger-{JAEGER_VERSION}-{machine}" / program


def _build_jaeger(work: Path, target: Path) -> None:
    # `go install` refuses a module with a replace directive, so it is built in a copy of its folder.
    said = _go("mod", "download", "-json", JAEGER_MODULE, cwd=work)
    source = work / "source"
    shutil.copytree(json.loads(said)["Dir"], source, copy_function=_copy_writable)
    source.chmod(0o755)
    _go("build", "-trimpath", "-ldflags", _STRIPPED, "-o", str(target), "./cmd/jaeger", cwd=source)


def _build_collector(work: Path, target: Path) -> None:
    _go("install", BUILDER_MODULE, cwd=work, GOBIN=str(work))
    manifest = work / "builder.yaml"
    output = work / "source"
    manifest.write_text(re.sub(r"output_path: .*", f"output_path: {output}", MANIFEST.read_text()))
    command = [str(work / "builder"), "--config", str(manifest), "--ldflags", _STRIPPED]
    subprocess.run(command, cwd=work, check=True, stdout=sys.stderr)
    (output / "otelcol").rename(target)


_BUILT: Final[Mapping[str, Callable[[Path, Path], None]]] = {
    "jaeger": _build_jaeger,
    "otelcol": _build_collector,
}


def _go(*arguments: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        ["go", *arguments],  # noqa: S607 # the user's Go
        cwd=cwd,
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


def _copy_writable(source: str, target: str) -> None:
    shutil.copyfile(source, target)  # the module cache is read-only


def _remove(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder)


@contextmanager
def _lock(file: Path) -> Iterator[None]:
    """One build of a program at a time; the second waits and finds it built."""
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def install_packages(programs: list[str]) -> None:
    """Debian's packages of what isn't found; needs root. Raises `CalledProcessError`."""
    packages = [name for program in programs for name in DEBIAN_PACKAGES[program]]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (("update", "-qq"), ("install", "-y", "-qq", "--no-install-recommends", *packages)):
        subprocess.run(["apt-get", *arguments], env=environment, check=True, stdout=sys.stderr)  # noqa: S607


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--apt", action="store_true", help="install Debian's packages too, as root")
    apt = parser.parse_args().apt
    if shutil.which("go"):
        for program in _BUILT:
            began = time.monotonic()
            build(program)
            _say(f"{program:<11} ready after {time.monotonic() - began:.0f} s")
    missing = [program for program in DEBIAN_PACKAGES if not find(program)]
    if apt and missing:
        install_packages(missing)
    lacking = 0
    for program in (*_BUILT, *DEBIAN_PACKAGES):
        place = find(program)
        _say(f"{program:<11} {place or 'missing: ' + remedy(program)}")
        lacking += place is None
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
