"""Faults that a traced program meets, and what became of its spans: real processes, a real receiver that misbehaves.

A fault is a program and a receiver. The program makes spans, has some trouble half way and ends in some way; the
receiver is late, slow, busy or wrong. The same faults meet our journal with its shipper and OpenTelemetry's SDK.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from faulty_receiver import FOR_EVER_S, Behaviour, receiving
from otlp_receiver import Answer
from traced_program import CONTEXT, End, Program, Trouble, Writer, run, ship

_LONGEST_S: Final = 200.0
_PATIENT_S: Final = 30.0  # what a request may take where its time is not what is tested
_AT_ONCE: Final = 8


@dataclass(frozen=True)
class Fault:
    """`programs` write into one folder. Each of their requests may take `timeout_s`; None: as it comes."""

    name: str
    program: Program = field(default_factory=Program)
    behaviour: Behaviour = field(default_factory=Behaviour)
    programs: int = 1
    timeout_s: float | None = _PATIENT_S
    writer: Writer = Writer.OURS


@dataclass(frozen=True)
class Outcome:
    """Counts of different spans, by their ids; `twice` is how many of them arrived more than once.

    `arrived` is at the program's end, `later` after `punie-trace ship` to a receiver that is well again; `said` is what
    each printed. OpenTelemetry's SDK has no journal, and nothing that could send later.
    """

    made: int
    journalled: int
    arrived: int
    later: int
    twice: int
    said: str
    exit_codes: tuple[int, ...]
    ship_said: str = ""
    ship_code: int | None = None

    @property
    def lost(self) -> int:
        """Spans that are neither with the receiver nor in a journal, where `ship` and reports would find them."""
        return self.made - max(self.journalled, self.later)


def meet(fault: Fault) -> Outcome:
    """Let it happen, and count."""
    with tempfile.TemporaryDirectory() as folder, receiving(fault.behaviour) as receiver:
        run_folder, said, ship_said = Path(folder, "run"), Path(folder, "said"), Path(folder, "ship-said")
        (run_folder / "spans").mkdir(parents=True)
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_TRACES_EXPORTER": "otlp"}
        program = partial(
            run, fault.program, fault.writer, run_folder, environ | _timeout(fault.timeout_s), said
        )
        exit_codes = _ended([program] * fault.programs)
        arrived, _ = receiver.counts()
        receiver.mend()
        ship_codes: tuple[int, ...] = ()
        if fault.writer is not Writer.SDK:
            ship_codes = _ended([partial(ship, run_folder, environ | _timeout(_PATIENT_S), ship_said)])
        later, twice = receiver.counts()
        return Outcome(
            made=fault.program.spans * fault.programs,
            journalled=_journalled(run_folder / "spans"),
            arrived=arrived,
            later=later,
            twice=twice,
            said=_text(said),
            exit_codes=exit_codes,
            ship_said=_text(ship_said),
            ship_code=ship_codes[0] if ship_codes else None,
        )


def _timeout(seconds: float | None) -> dict[str, str]:
    return {} if seconds is None else {"OTEL_EXPORTER_OTLP_TIMEOUT": f"{seconds:g}"}


def meet_all(faults: Sequence[Fault]) -> dict[str, Outcome]:
    """Several at once: they mostly wait."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip([fault.name for fault in faults], pool.map(meet, faults), strict=True))


def _ended(targets: Sequence[Callable[[], None]]) -> tuple[int, ...]:
    """The exit codes of processes with these targets; negative is the signal that ended it."""
    processes = [CONTEXT.Process(target=target) for target in targets]
    for process in processes:
        process.start()
    for process in processes:
        process.join(_LONGEST_S)
        process.kill()
        process.join()
    return tuple(process.exitcode or 0 for process in processes)


def _journalled(spans: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in spans.glob("*.jsonl"))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def faults(outage_s: float, pause_s: int) -> tuple[Fault, ...]:
    """Twelve, and more. What passes does so after `outage_s`; a receiver that asks for a pause asks for `pause_s`."""
    through = Program(lasts_s=outage_s * 1.25)
    a_second = Program(lasts_s=1.0)
    busy = Answer(status=429, headers=(("retry-after", str(pause_s)),))
    refused = Answer(status=400, content_type="text/plain", body=b"no")
    return (
        Fault("receiver down at exit", behaviour=Behaviour(down_s=FOR_EVER_S), timeout_s=1.0),
        Fault("receiver down for a while", through, Behaviour(down_s=outage_s)),
        Fault("receiver slow", behaviour=Behaviour(ill=Answer(wait_s=0.5))),
        Fault("503 for a while", through, Behaviour(ill=Answer(status=503), ill_s=outage_s)),
        Fault("429 with Retry-After, twice", behaviour=Behaviour(script=(busy, busy))),
        Fault("400 to everything", behaviour=Behaviour(ill=refused)),
        Fault("burst of 20,000", Program(spans=20_000)),
        Fault("kill -9", Program(end=End.SIGKILL)),
        Fault("SIGTERM", Program(end=End.SIGTERM)),
        Fault("os._exit", Program(end=End.EXIT)),
        Fault("disk full", replace(a_second, trouble=Trouble.DISK_FULL)),
        Fault("fork", Program(trouble=Trouble.FORK)),
        Fault("receiver hung", behaviour=Behaviour(hung_s=FOR_EVER_S), timeout_s=1.0),
        Fault("acknowledgement lost", behaviour=Behaviour(script=(Answer(wait_s=15.0),)), timeout_s=3.0),
        Fault("accepted in part", behaviour=Behaviour(script=(Answer(rejected=7, message="too old"),))),
        Fault("disk slow", Program(spans=200, trouble=Trouble.DISK_SLOW)),
        Fault("wall clock set back", replace(a_second, trouble=Trouble.CLOCK_SET_BACK)),
        Fault("two runs in one folder", a_second, programs=2),
        Fault("journal removed during the run", replace(a_second, trouble=Trouble.JOURNAL_REMOVED)),
        Fault("journal cut during the run", replace(a_second, trouble=Trouble.JOURNAL_CUT)),
        Fault("model server, kill -9", replace(a_second, end=End.SIGKILL), writer=Writer.SERVER),
    )
