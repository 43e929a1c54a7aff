"""The preflight's own process: `python -m punie.trace.bench.preflight JOB RESULT`."""

from __future__ import annotations

from punie.trace.bench.child import serve_job
from punie.trace.bench.preflight.measure import measure
from punie.trace.bench.preflight.measurements import MeasuringJob

if __name__ == "__main__":
    serve_job(measure, MeasuringJob)
