"""The shop of `examples/slow_agent` on its stub server, improved as a user does it: in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slow_agent import copy_agent

LEVERS = "brief,parallel-tools,tool-results=1000"
"""Those that act on the stub, by enough that no noise hides it."""


@dataclass(frozen=True, slots=True)
class Shop:
    """A copy of the example in `folder`, whose server is started with `flags`."""

    folder: Path
    flags: str = ""

    @classmethod
    def copy(cls, folder: Path, flags: str = "", *, mended: bool = False) -> Shop:
        """The example as it is, or with the lines of shop.py that README.md says to write."""
        place = copy_agent(folder, mended=mended)
        server = f"{sys.executable} {place / 'stub_server.py'} {{port}} {flags}".strip()
        (place / "server.toml").write_text(f"[server]\nprogram = {json.dumps(server)}\n", encoding="utf-8")
        return cls(place, flags)

    def command(self, verb: str, *arguments: str) -> tuple[str, ...]:
        """`verb` of punie-trace, on this shop."""
        shop = ("--agent", "shop:make_agent", "--suite", "shop.toml", "--config", "server.toml")
        return (sys.executable, "-m", "punie.trace", verb, *shop, *arguments)

    def improve(self, *arguments: str) -> dict[str, Any]:
        """The report of an improvement from its beginning to its end, and its exit code as `exit_code`."""
        return self._report(self.command("improve", "--no-history", "--format", "json", *arguments))

    def run(self) -> dict[str, Any]:
        """The report of one pass through its questions."""
        return self._report(self.command("run", "--no-export", "--format", "json"))

    def resume(self, improvement: Path) -> dict[str, Any]:
        """The report of an improvement that is gone on with."""
        command = (sys.executable, "-m", "punie.trace", "improve", "--resume", str(improvement))
        return self._report((*command, "--no-history", "--format", "json"))

    def command_on(self, verb: str, *folders: Path) -> dict[str, Any]:
        """What `verb` says of folders, as JSON."""
        names = map(str, folders)
        return self._report((sys.executable, "-m", "punie.trace", verb, *names, "--format", "json"))

    def interrupt(self, cells: int, *arguments: str) -> Path:
        """Begin an improvement and interrupt it as by Ctrl-C, once `cells` server starts are done; its folder."""
        command = self.command("improve", "--no-history", *arguments)
        with subprocess.Popen(command, cwd=self.folder, stderr=subprocess.PIPE, text=True) as process:
            while len(finished(self.folder)) < cells and process.poll() is None:
                time.sleep(0.02)
            process.send_signal(2)
            _, said = process.communicate(timeout=60)
        assert process.returncode == 130, said
        assert "punie-trace improve --resume" in said
        (improvement,) = (self.folder / "improvements").iterdir()
        return improvement

    def _report(self, command: tuple[str, ...]) -> dict[str, Any]:
        made = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert made.stdout, made.stderr
        found: dict[str, Any] = json.loads(made.stdout)
        return found | {"exit_code": made.returncode}


def finished(folder: Path) -> dict[Path, str]:
    """What every server start that is done wrote down."""
    return {file: file.read_text() for file in sorted(folder.glob("improvements/*/*/cells/*/cell.json"))}
