"""Known vulnerabilities in the packages of `uv.lock`: `python3 .ci/audit.py`.

uv asks the index of advisories of osv.dev. 0: none is known, or the index couldn't be asked, which is said; else what
uv ends with. A machine without that index must not fail for it, and must not pass for an audit either.
"""

from __future__ import annotations

import subprocess
import sys

COMMAND = [sys.executable, "-m", "uv", "audit", "--locked", "--preview-features", "audit-command"]
UNREACHABLE = "error sending request"


def main(arguments: list[str]) -> int:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)
    print(done.stdout, end="")
    if done.returncode and UNREACHABLE in done.stderr:
        print("NOT AUDITED: the index of advisories (osv.dev) can't be reached from here")
        return 0
    print(done.stderr, end="", file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
