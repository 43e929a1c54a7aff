"""The preflight's own process: `python -m punie.trace.bench.preflight JOB RESULT`."""

from __future__ import annotations

from typing import Any

from punie.trace.bench.child import serve_job
from punie.trace.bench.preflight.measure import Work


def main(job: dict[str, Any]) -> dict[str, Any]:
    """The measurements for `job`; one about the vocabularies alone has no limit of time."""
    return Work(job, seconds=job.get("seconds", 0.0)).run()


if __name__ == "__main__":
    serve_job(main)
