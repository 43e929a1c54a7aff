"""The preflight's own process: `python -m punie.trace.bench.preflight JOB RESULT`."""

from __future__ import annotations

from typing import Any

from punie.trace.bench.child import serve_job
from punie.trace.bench.preflight.measure import Work


def main(job: dict[str, Any]) -> dict[str, Any]:
    """The measurements for `job`."""
    return Work(job, seconds=job["seconds"]).run()


if __name__ == "__main__":
    serve_job(main)
