"""Write the three lock files: exact versions with hashes, for every supported machine, without an address.

`make lock` keeps the versions that are locked already; `make lock UPGRADE=1` takes the newest allowed ones.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "locks"
# Extras that nobody who works on Lar needs: hundreds of megabytes, and not for every machine that is supported.
LARGE = {"voice"}
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
EVERY_EXTRA = [option for name in EXTRAS if name not in LARGE for option in ("--extra", name)]
# The widest set first: the narrower ones are then held to its versions, so that one environment can grow through all.
SETS: dict[str, list[str]] = {
    "bench": [*EVERY_EXTRA, "--group", "bench"],
    "dev": [*EVERY_EXTRA, "--group", "dev", "--constraint", "locks/bench.lock"],
    "run": ["--extra", "anthropic", "--extra", "google", "--constraint", "locks/bench.lock"],
}
FLAGS = ["--universal", "--python-version", "3.11", "--generate-hashes", "--quiet"]
PLAIN = ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
# Said of every package by [tool.uv] environments; what differs from it stays.
EVERYWHERE = (
    " ; (python_full_version < '3.15' and sys_platform == 'darwin')"
    " or (python_full_version < '3.15' and sys_platform == 'linux')"
)


def uv() -> str:
    """The path of uv, from this environment or the machine."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        sys.exit("lock: uv is missing; `make venv` installs it")
    return found


def compile_set(name: str, options: list[str]) -> None:
    """Resolve one set for every platform and write its lock."""
    upgrade = ["--upgrade"] if os.environ.get("UPGRADE") else []
    target = ["--output-file", f"locks/{name}.lock"]
    command = [uv(), "pip", "compile", *FLAGS, *PLAIN, *upgrade, *options, *target, "pyproject.toml"]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # the words are ours
    lock = LOCKS / f"{name}.lock"
    text = lock.read_text(encoding="utf-8").replace(EVERYWHERE, "")
    if re.search(r"://|--index|--find-links", text):
        sys.exit(f"lock: locks/{name}.lock names an address; look at pip's and uv's settings on this machine")
    lock.write_text(text, encoding="utf-8")
    print(f"locks/{name}.lock: {len(re.findall(r'^[a-z]', text, re.MULTILINE))} packages")


def main() -> None:
    """Write all sets, the widest first."""
    LOCKS.mkdir(exist_ok=True)
    for name, options in SETS.items():
        compile_set(name, options)


if __name__ == "__main__":
    main()
