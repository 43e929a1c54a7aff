"""The agent under test: one that is there, or what `--agent` names and makes one."""

from __future__ import annotations

import asyncio
import functools
import importlib
import inspect
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, chdir, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, Protocol, get_args

from punie.trace.errors import WorkloadError
from punie.trace.workload.agent_reference import after_failed_import, split_reference

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from types import ModuleType

    from pydantic_ai.agent import AbstractAgent

Log = Callable[[str], object]
_STEPS: Final = 4  # a function, what it awaits, a context manager, and what that gives
_REMEDY: Final = (
    "name an agent, or what makes one, or a pair of an agent and its dependencies: a function, plain or async, "
    "or one with @contextmanager or @asynccontextmanager"
)

LONGEST_END_S: Final = 60.0
"""What an agent's context manager may take to close connections, programs, containers (Docker gives each 10 s)."""
_SLOW_S: Final = 10.0
_SHOWN_AGENTS: Final = 5


class SubjectSource(Protocol):
    """What gives the agent for as long as it is asked."""

    def opened(self, log: Log) -> AbstractAsyncContextManager[Subject]:
        """The agent, inside; `log` gets what may surprise. Raises WorkloadError."""
        ...


@dataclass(frozen=True, slots=True)
class Subject:
    """The agent under test, the dependencies that its tools are given, and the folder in which it works."""

    agent: AbstractAgent[Any, Any]
    deps: Any = None
    folder: Path = Path()

    @asynccontextmanager
    async def opened(self, log: Log) -> AsyncIterator[Subject]:
        """Itself: there is nothing to open."""
        needed = self.agent.deps_type
        if self.deps is None and needed not in (NoneType, object, Any) and NoneType not in get_args(needed):
            log(
                f"the agent {self.agent.name or ''} declares dependencies ({_name(needed)}) and is given none: "
                "name a function that returns it with them, as a pair".replace("  ", " ")
            )
        yield self


@dataclass(frozen=True, slots=True)
class MadeSubject:
    """What makes an agent only in an event loop: an async function, or a context manager that is left at the end."""

    reference: str
    value: object
    folder: Path

    @asynccontextmanager
    async def opened(self, log: Log) -> AsyncIterator[Subject]:
        """The agent, made anew. What fails after its last answer goes to `log`: the answers are still valid."""
        stack = AsyncExitStack()
        try:
            with (
                _naming(f"--agent {self.reference}: making the agent failed"),
                chdir(self.folder),
                _without_flags(self.reference.partition(":")[0]),
                _saying_if_slow(f"--agent {self.reference} is still being made", log),
            ):
                subject = replace(_ready(self.reference, await self._made(stack)), folder=Path.cwd())
            async with subject.opened(log):
                yield subject
        finally:
            await self._end(stack, log)

    async def _end(self, stack: AsyncExitStack, log: Log) -> None:
        limit = asyncio.timeout(LONGEST_END_S)
        try:
            with (
                chdir(self.folder),
                _saying_if_slow(f"--agent {self.reference}: what it does at its end still runs", log),
            ):
                async with limit:
                    await stack.aclose()
        except Exception as error:  # noqa: BLE001 # the user's code; it is said
            how = (
                f"took more than {LONGEST_END_S:g} s" if limit.expired() else f"failed: {_first_line(error)}"
            )
            log(f"--agent {self.reference}: what it does at its end {how}")

    async def _made(self, stack: AsyncExitStack) -> object:
        value: Any = self.value
        for _ in range(_STEPS):
            if _subject(value):
                break
            if inspect.isawaitable(value):
                value = await value
            elif hasattr(value, "__aenter__"):
                value = await stack.enter_async_context(value)
            elif hasattr(value, "__enter__"):
                value = stack.enter_context(value)
            elif callable(value):
                value = value()
        return value


def load_subject(reference: str) -> SubjectSource:
    """What the user has at `module:attribute`: an agent, or what makes one, or one and its dependencies.

    The working directory is importable, after all else: a file of the user's can't take the place of a library's.
    The module may go to another folder: the agent stays there, and we where we are. It sees no flags of ours.
    Raises `WorkloadError` that names the flag, the module and the attribute, whatever the user's code raises.
    """
    module_name, attribute = split_reference(reference)
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    with _naming(
        f"--agent {reference}: can't import {module_name}",
        remedy=functools.partial(after_failed_import, module=module_name),
    ):
        module, folder = _imported(module_name)
    with (
        _naming(f"--agent {reference}: {attribute}() failed", remedy=_after_failed_call),
        _without_flags(module_name),
        chdir(folder),
    ):
        return _source(reference, attribute, module)


@functools.cache  # a module goes to its folder once
def _imported(name: str) -> tuple[ModuleType, Path]:
    """The module, and the folder in which it left the process."""
    with _without_flags(name), chdir("."):
        return importlib.import_module(name), Path.cwd()


@contextmanager
def _without_flags(name: str) -> Iterator[None]:
    """Inside, the program's arguments are those of `python -m name`: modules that read flags would read ours."""
    ours = sys.argv
    sys.argv = [name]
    try:
        yield
    finally:
        sys.argv = ours


def _source(reference: str, attribute: str, module: ModuleType) -> SubjectSource:
    try:
        value: Any = functools.reduce(getattr, attribute.split("."), module)
    except AttributeError:
        agents = [name for name, value in vars(module).items() if _subject(value)]
        others = f"; it has {', '.join(agents[:_SHOWN_AGENTS])}" if agents else ""
        raise _refusal(
            reference, f"there is no {attribute} in {module.__file__ or module.__name__}{others}"
        ) from None
    made = value() if callable(value) and not _subject(value) and not _only_in_a_loop(value) else value
    if _only_in_a_loop(made):
        return MadeSubject(reference, made, Path.cwd())
    return replace(_ready(reference, made), folder=Path.cwd())


def _only_in_a_loop(value: object) -> bool:
    if _subject(value) or isinstance(value, type):  # an agent is a context manager, too
        return False
    is_manager = hasattr(value, "__aenter__") or hasattr(value, "__enter__")
    return inspect.iscoroutinefunction(value) or inspect.isawaitable(value) or is_manager


def _subject(value: object) -> Subject | None:
    from pydantic_ai.agent import AbstractAgent

    agent, deps = value if isinstance(value, tuple) and len(value) == 2 else (value, None)
    return Subject(agent, deps) if isinstance(agent, AbstractAgent) else None


def _ready(reference: str, value: object) -> Subject:
    subject = _subject(value)
    if subject is None:
        raise _refusal(reference, f"it is a {type(value).__name__}")
    return subject


def _refusal(reference: str, what: str) -> WorkloadError:
    return WorkloadError(f"--agent {reference}: expected a pydantic_ai.Agent, but {what}", remedy=_REMEDY)


def _name(kind: object) -> str:
    return getattr(kind, "__name__", None) or str(kind)


@contextmanager
def _saying_if_slow(what: str, log: Log) -> Iterator[None]:
    handle = asyncio.get_running_loop().call_later(_SLOW_S, log, f"{what}, after {_SLOW_S:g} s")
    try:
        yield
    finally:
        handle.cancel()


def _after_failed_call(error: BaseException) -> str:
    return (
        "it is called without arguments: name a function that needs none"
        if isinstance(error, TypeError)
        else ""
    )


@contextmanager
def _naming(what: str, *, remedy: Callable[[BaseException], str] = lambda _: "") -> Iterator[None]:
    """Whatever the user's code raises inside, but Ctrl-C, is a `WorkloadError` that starts with `what`."""
    try:
        yield
    except (WorkloadError, KeyboardInterrupt, asyncio.CancelledError):
        raise
    except BaseException as error:
        raise WorkloadError(f"{what}: {_first_line(error)}", remedy=remedy(error)) from error


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}{f': {lines[0]}' if lines else ''}"
