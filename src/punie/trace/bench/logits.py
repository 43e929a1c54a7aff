"""The process that looks at logits: `python -m punie.trace.bench.logits JOB RESULT`."""

from __future__ import annotations

from typing import Any

from punie.trace.bench.child import serve_job, show_step


def main(job: dict[str, Any]) -> list[dict[str, Any]]:
    """For each place the logits of both tokens, their gap, and the token that the target itself takes."""
    import mlx.core as mx

    from punie.trace.bench.preflight.models import Reader, load_model

    show_step(f"loading {job['model']}")
    model = load_model(job["model"], job["adapter"]).model
    found = []
    for number, place in enumerate(job["places"]):
        show_step(f"difference {number + 1} of {len(job['places'])}: reading the model's logits there")
        *start, last = place["tokens"]
        reader = Reader(model)
        if start:
            reader.read(start)
        logits = reader.logits([last])[-1]
        expected, actual = (float(logits[place[name]].item()) for name in ("expected", "actual"))
        found.append(
            {
                "expected": expected,
                "actual": actual,
                "gap": expected - actual,
                "likeliest": int(str(mx.argmax(logits).item())),
            }
        )
    return found


if __name__ == "__main__":
    serve_job(main)
