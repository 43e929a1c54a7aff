"""The program that runs `mlx_lm.server`: ends with its parent, and calls a hook before the server starts.

    python -m punie.trace.server.launcher [--hook MODULE:FUNCTION] [--grace SECONDS] -- SERVER-ARGUMENTS

Standard input is a pipe whose other end the parent holds and never writes to. When it closes, however the
parent died, the server ends too. Linux and macOS both have that.

The hook is a function that takes a `contextlib.ExitStack`. It runs after `mlx_lm.server` is imported and before
its `main`. What it puts onto the stack is closed on every end but SIGKILL: SIGTERM, Ctrl-C, the parent's death, an
error of the server. Cleanup belongs there and not into `atexit`: the server's generation thread never ends by
itself, so the interpreter's own way out would wait for it for ever, and this program leaves by `os._exit`.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from types import FrameType
from typing import Final, NoReturn

Hook = Callable[[ExitStack], None]

DEFAULT_GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class LauncherArguments:
    """`grace_s`: seconds between SIGTERM and SIGKILL once the parent is gone."""

    server: tuple[str, ...]
    hook: str | None = None
    grace_s: float = DEFAULT_GRACE_S


def parse_arguments(argv: Sequence[str]) -> LauncherArguments:
    """What stands before `--` is ours, the rest the server's."""
    split = argv.index("--") if "--" in argv else len(argv)
    parser = argparse.ArgumentParser(prog="punie.trace.server.launcher")
    parser.add_argument("--hook")
    parser.add_argument("--grace", type=float, default=DEFAULT_GRACE_S)
    ours = parser.parse_args(argv[:split])
    return LauncherArguments(server=tuple(argv[split + 1 :]), hook=ours.hook, grace_s=ours.grace)


def load_hook(reference: str) -> Hook:
    """The function that `MODULE:FUNCTION` names."""
    module, _, function = reference.partition(":")
    hook: Hook = getattr(import_module(module), function)
    return hook


def run_server(arguments: LauncherArguments) -> None:
    """Run the unmodified server until it ends or a signal raises SystemExit."""
    from mlx_lm import server  # takes seconds, and the parent is watched by now

    end_on_signals()
    with ExitStack() as cleanup:
        if arguments.hook is not None:
            load_hook(arguments.hook)(cleanup)
        sys.argv = ["mlx_lm.server", *arguments.server]
        server.main()  # type: ignore[no-untyped-call]  # mlx_lm has no types


def watch_parent(grace_s: float) -> None:
    """End this process when standard input closes, from a thread."""
    pipe = os.dup(0)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - only its descriptor is used
        os.dup2(nothing.fileno(), 0)
    threading.Thread(target=_end_with_pipe, args=(pipe, grace_s), name="watch-parent", daemon=True).start()


def _end_with_pipe(pipe: int, grace_s: float) -> None:
    while os.read(pipe, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace_s)
    os.kill(os.getpid(), signal.SIGKILL)


def leave_on_signals() -> None:
    """SIGTERM and SIGINT end the process at once: nothing has to be closed yet.

    An extension module that is being loaded may turn an exception into another one, or drop it.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: os._exit(128 + received))


def end_on_signals() -> None:
    """SIGTERM and SIGINT raise SystemExit in the main thread, once; the stack is closed in peace."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)


_received: Final[list[int]] = []


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    _received.append(number)
    for again in (signal.SIGTERM, signal.SIGINT):
        signal.signal(again, signal.SIG_IGN)
    raise SystemExit(128 + number)


def exit_code(run: Callable[[], None]) -> int:
    """Run it; the exit code that its end stands for, with the traceback of an error on standard error.

    What is raised after a signal comes of the signal: whoever was interrupted may have made an error of its own of it.
    """
    try:
        run()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - the edge of the process: printed, and shown by the exit code
        if _received:
            return 128 + _received[0]
        traceback.print_exc()
        return 1
    return 0


def main(argv: Sequence[str]) -> NoReturn:
    """Run the server as `argv` says; never returns."""
    arguments = parse_arguments(argv)
    leave_on_signals()
    watch_parent(arguments.grace_s)
    code = exit_code(lambda: run_server(arguments))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
