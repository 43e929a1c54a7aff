"""Makes `docs/report.png` and `docs/report-waterfall.png`: the HTML report of a run of the demo model.

    uv run python docs/report_picture.py [RUN]

Runs the suite, unless a run folder is named, writes its report and photographs the page in headless Chromium:
`python3 tests/support/stack_programs.py` says what is missing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "support"))

from browser import Page, browser  # noqa: E402 # after the path is known

WIDTH: Final = 1280
_MARGIN: Final = 28  # pixels below what is shown
PICTURES: Final = {"report.png": "figure.bars", "report-waterfall.png": "details.query"}


def make_page(run: Path | None, folder: Path) -> Path:
    """The report of `run`, or of a run of the demo suite."""
    page = folder / "report.html"
    verb = ["report", str(run)] if run else ["run", "--runs", "runs", "--no-export", "--seed", "7"]
    command = [sys.executable, "-m", "punie.trace", *verb, "-o", str(page)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=None if run else folder)
    return page


def photograph(page: Page, url: str, last: str) -> bytes:
    """From the section that holds the first `last`, or the page's top where that is in sight, to its end."""
    page.view(WIDTH)
    page.open(url)
    measured = """const box = document.querySelector(arguments[0]).getBoundingClientRect();
        const section = document.querySelector(arguments[0]).closest('section').getBoundingClientRect();
        return [section.top, box.bottom].map(Math.round)"""
    top, bottom = page.ask(measured, last)
    top = 0 if bottom < 1200 else top - _MARGIN
    page.view(WIDTH, bottom - top + _MARGIN)
    page.ask("scrollTo(0, arguments[0])", top)
    return page.screenshot()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument(
        "run", type=Path, nargs="?", help="a run folder (default: a new run of the demo suite)"
    )
    run = parser.parse_args().run
    with tempfile.TemporaryDirectory(
        ignore_cleanup_errors=True
    ) as temporary:  # Chromium may still be writing
        folder = Path(temporary)
        url = make_page(run, folder).as_uri()
        with browser(folder) as page:
            page.emulate(prefers_color_scheme="light")
            for name, last in PICTURES.items():
                (HERE / name).write_bytes(photograph(page, url, last))
                sys.stderr.write(f"Wrote {HERE / name}\n")


if __name__ == "__main__":
    main()
