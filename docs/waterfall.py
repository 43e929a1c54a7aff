"""Makes `docs/waterfall.png`: a query of the demo model on Jaeger's real page.

    PUNIE_JAEGER_UI=FOLDER uv run python docs/waterfall.py [--query view-functions] [-o FILE]

Starts the Collector and Jaeger, runs the suite, and photographs the page in headless Chromium. Needs what the tests of
`tests/stack` need: `python3 tests/support/stack_programs.py` says what is missing.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "support"))

from waterfall import WIDTH, waterfall  # noqa: E402 # as above

from punie.trace.store.runs.run_folder import RunFolder  # noqa: E402 # as above
from stack import Stack, page_assets, start_stack, wait_for_spans  # noqa: E402 # after the path is known


def ship_run(stack: Stack, runs: Path) -> tuple[RunFolder, str]:
    """A run of the demo suite that is in Jaeger, and what it printed."""
    command = [sys.executable, "-m", "punie.trace", "run", "--runs", str(runs)]
    addresses = ["--otlp", stack.otlp_http, "--jaeger", stack.jaeger_query]
    done = subprocess.run([*command, *addresses], stderr=subprocess.PIPE, text=True, check=True)
    (folder,) = runs.iterdir()
    run = RunFolder.open(folder)
    wait_for_spans(stack, len(run.load_spans().spans))
    return run, done.stderr


def photograph(run: RunFolder, link: str, folder: Path) -> bytes:
    """The whole waterfall behind `link`, as PNG."""
    trace_id = link.rpartition("/")[2]
    spans = sum(span.trace_id == trace_id for span in run.load_spans().spans)
    with waterfall(folder, link, spans=spans) as shown:
        last = "return Math.ceil([...document.querySelectorAll('.span-row')].at(-1).getBoundingClientRect().bottom)"
        bars = "return outerHeight - innerHeight"
        shown.page.resize(WIDTH, shown.page.ask(last) + shown.page.ask(bars) + 8)
        shown.page.wait_for("return document.querySelectorAll('.span-row').length >= arguments[0]", spans)
        return shown.page.screenshot()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--query", default="view-functions", help="which query (default: %(default)s)")
    parser.add_argument("-o", "--output", type=Path, default=HERE / "waterfall.png")
    options = parser.parse_args()
    assets = page_assets()
    if assets is None:
        parser.error("set PUNIE_JAEGER_UI to the folder that holds the assets/ of Jaeger's page")
    with tempfile.TemporaryDirectory(
        ignore_cleanup_errors=True
    ) as temporary:  # Chromium may still be writing
        folder = Path(temporary)
        with start_stack(folder / "stack", jaeger_ui=assets) as stack:
            run, said = ship_run(stack, folder / "runs")
            found = re.search(rf"waterfall of {re.escape(options.query)}, .*:\n  (http://\S+)", said)
            if found is None:
                parser.error(f"the run printed no link for {options.query}:\n{said}")
            options.output.write_bytes(photograph(run, found[1], folder))
    sys.stderr.write(f"Wrote {options.output} ({options.output.stat().st_size // 1000} kB)\n")


if __name__ == "__main__":
    main()
