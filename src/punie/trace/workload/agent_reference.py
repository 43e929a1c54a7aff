"""`--agent module:attribute`: what it names, and what to write where that can't be had."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from punie.trace.errors import WorkloadError

_HERE: Final = (
    "run it in the folder of the module, with punie-trace installed in the environment that the agent runs in"
)
_IN_SRC: Final = "is in src/: install it (pip install -e .), or begin with PYTHONPATH=src"
_NOT_RUN: Final = "it is imported, not run: what {} belongs under if __name__ == '__main__'"


def split_reference(reference: str) -> tuple[str, str]:
    """The module and the attribute, which may be written as a call. Raises `WorkloadError` with what to write."""
    module, _, attribute = reference.partition(":")
    attribute = attribute.removesuffix("()")
    if module.endswith(".ipynb"):
        raise WorkloadError(
            f"--agent {reference}: {module} is a notebook, expected a module",
            remedy="save the agent's cells as a module (jupyter nbconvert --to script)",
        )
    if module.endswith(".py") or "/" in module:
        named = "" if attribute else ", where NAME is the agent's in that file"
        raise WorkloadError(
            f"--agent {reference}: {module} is a file, expected a module",
            remedy=f"{_as_module(module, attribute or 'NAME')}{named}",
        )
    if not (module and attribute):
        before, dot, last = module.rpartition(".")
        example = f"{before}:{last}" if before and dot and not attribute and last.isidentifier() else ""
        raise WorkloadError(
            f"--agent {reference}: expected module:attribute",
            remedy=f"--agent {example}" if example else "e.g. --agent myapp.agents:agent",
        )
    return module, attribute


def _as_module(path: str, attribute: str) -> str:
    file = Path(path.removesuffix(".py"))
    if file.is_absolute() or ".." in file.parts:
        return f"cd {file.parent}, and --agent {file.name}:{attribute}"
    if file.parts[:1] == ("src",) and len(file.parts) > 2:
        return f"--agent {'.'.join(file.parts[1:])}:{attribute}; {file.parts[1]} {_IN_SRC}"
    return f"--agent {'.'.join(file.parts)}:{attribute}"


def after_failed_import(error: BaseException, module: str) -> str:
    """What to do when importing `module` raised `error`; empty where its own message has to say it."""
    package = module.partition(".")[0]
    match error:
        case ModuleNotFoundError() if error.name == package and Path("src", package).exists():
            return f"{package} {_IN_SRC}"
        case ImportError() if "relative import" in str(error):
            return f"its package imports it: from the folder above, --agent PACKAGE.{module}:…"
        case ModuleNotFoundError():
            return _HERE
        case ImportError():
            return "install what it needs, in this environment, or correct that import"
        case SystemExit():
            return _NOT_RUN.format("reads flags or ends the program")
        case EOFError():
            return _NOT_RUN.format("asks its user")
        case _:
            return ""
