"""A workspace with a secret beside it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SECRET: Final = "hunter2-outside-the-workspace"  # noqa: S105 # a marker, not a password


@dataclass(frozen=True)
class Ground:
    """The workspace, and the folder beside it that nothing may reach."""

    workspace: Path
    outside: Path

    def state(self) -> dict[str, tuple[int, int]]:
        """Mode and time of change of everything, here and outside."""
        paths = sorted(self.workspace.parent.rglob("*"))
        return {str(path): (path.lstat().st_mode, path.lstat().st_mtime_ns) for path in paths}


def make_ground(top: Path) -> Ground:
    """Files, links of each kind that lead out, a pipe, names that look like options or like globs."""
    workspace, outside = top / "workspace", top / "outside"
    (workspace / "src").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.txt").write_text(f"{SECRET}\n")
    (workspace / "src" / "views.py").write_text("async def view():\n    return await load()\n")
    (workspace / "list").write_text(f"{outside}/secret.txt\n")
    (workspace / "list0").write_bytes(os.fsencode(outside / "secret.txt") + b"\0")
    (workspace / "hay").write_text("a" * 300 + "!\n")
    (workspace / "flood").write_text("a line of a file that is long\n" * 40_000)
    for name in ("-rf", "--files0-from=list0", "[ab]", "$(id)", "~", "a b"):
        (workspace / name).write_text("odd\n")
    (workspace / "file-link").symlink_to(outside / "secret.txt")
    (workspace / "folder-link").symlink_to(outside)
    (workspace / "src" / "up").symlink_to("../../outside")
    (workspace / "proc-link").symlink_to("/proc/self")
    (workspace / "loop").symlink_to("loop")
    (workspace / ".git").mkdir()
    (workspace / ".git" / "config").write_text("[core]\n\tpager = touch ../outside/owned\n\tfsmonitor = id\n")
    os.mkfifo(workspace / "pipe")
    return Ground(workspace, outside)
