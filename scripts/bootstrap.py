"""Make `.venv` from the locks: `scripts/python scripts/bootstrap.py run|dev|bench`.

Standard library only. Does nothing when the environment already holds the wanted set of the present lock. A `.venv`
that is a symbolic link belongs to whoever made it, and is used as it is.
"""

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "lar-stamp.json"
# Each set holds all of the ones before it, at the same versions.
SETS = ("run", "dev", "bench")

NO_VENV = """\
{python} cannot make a virtual environment: its `ensurepip` is missing. Install it, then run the same command again:

  Debian, Ubuntu   apt install python3-venv
  Fedora, RHEL     dnf install python3 python3-pip
  Arch             pacman -S python
  Alpine           apk add python3 py3-pip
  openSUSE         zypper install python3 python3-pip
  macOS            brew install python@3.13
  without root     {python} -m pip install --user virtualenv      (found and used by itself)
                   or install uv in your home                     (found and used by itself)
"""

NO_PACKAGES = """\
The packages of locks/{name}.lock could not be installed; pip's own words are above.

No network, or a proxy?  pip must reach its package index: see `pip config list`.
No ready-made wheel for this machine?  They exist for Linux and macOS on x86-64 and aarch64, Python 3.11 to 3.14.
Elsewhere, install a compiler and run the same command with LAR_BUILD=1:

  Debian, Ubuntu   apt install build-essential python3-dev libffi-dev cargo
  Fedora, RHEL     dnf install gcc gcc-c++ python3-devel libffi-devel cargo
  Arch             pacman -S base-devel rust
  Alpine           apk add build-base python3-dev libffi-dev cargo
  macOS            xcode-select --install; brew install rust
  without root     a Python of another version has its wheels: install uv in your home, then
                   uv python install 3.13; LAR_PYTHON="$(uv python find 3.13)" make run
"""


def lock_hash(name: str) -> str:
    """What the stamp remembers of one lock."""
    return hashlib.sha256((ROOT / "locks" / f"{name}.lock").read_bytes()).hexdigest()


def is_ready(name: str) -> bool:
    """True when the environment works and holds this set of the present lock."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return PYTHON.exists() and stamp.get("root") == str(ROOT) and stamp.get(name) == lock_hash(name)


def venv_command() -> list[str] | None:
    """The command that makes an environment with pip here, or None when nothing on this machine can."""
    if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv"):
        return [sys.executable, "-m", "venv"]
    if importlib.util.find_spec("virtualenv"):
        return [sys.executable, "-m", "virtualenv", "--quiet"]
    if uv := shutil.which("uv"):
        return [uv, "venv", "--quiet", "--seed", "--python", sys.executable]
    return None


def works() -> bool:
    """True when `.venv` has a Python that starts and has pip; a system upgrade or a moved folder breaks it."""
    if not PYTHON.exists():
        return False
    probe = [str(PYTHON), "-c", "import pip, sys; print(sys.prefix)"]
    answer = subprocess.run(probe, capture_output=True, text=True, check=False)  # noqa: S603  # the words are ours
    return answer.returncode == 0 and Path(answer.stdout.strip()).resolve() == VENV.resolve()


def make_venv() -> None:
    """Make `.venv`, replacing a broken one of ours."""
    if works():
        return
    command = venv_command()
    if command is None:
        sys.exit(NO_VENV.format(python=sys.executable))
    shutil.rmtree(VENV, ignore_errors=True)
    if subprocess.run([*command, str(VENV)], check=False).returncode != 0 or not works():  # noqa: S603  # the same
        shutil.rmtree(VENV, ignore_errors=True)
        sys.exit(NO_VENV.format(python=sys.executable))


def install(name: str) -> None:
    """Install one set, each file held to its hash; nothing outside the lock is fetched."""
    print(f"lar: installing locks/{name}.lock into .venv (once; a minute or so)", file=sys.stderr, flush=True)
    options = ["--quiet", "--no-input", "--disable-pip-version-check", "--require-hashes", "--no-deps"]
    if not os.environ.get("LAR_BUILD"):
        options += ["--only-binary", ":all:"]
    command = [str(PYTHON), "-m", "pip", "install", *options, "--requirement", str(ROOT / "locks" / f"{name}.lock")]
    if subprocess.run(command, check=False).returncode != 0:  # noqa: S603  # the words are ours
        sys.exit(NO_PACKAGES.format(name=name))


def link() -> None:
    """Put this checkout and its `lar` command into the environment."""
    [packages] = VENV.glob("lib/python3.*/site-packages")
    (packages / "lar-checkout.pth").write_text(f"{ROOT / 'src'}\n", encoding="utf-8")
    command = VENV / "bin" / "lar"
    # The first line is shell, so that a long path or one with spaces still starts; Python reads it as a string.
    command.write_text(
        f"#!/bin/sh\n'''exec' \"{PYTHON}\" \"$0\" \"$@\"\n' '''\n"
        "import sys\n\nfrom lar.cli import main\n\nsys.exit(main())\n",
        encoding="utf-8",
    )
    command.chmod(0o755)


def main(name: str) -> None:
    """Bring `.venv` to the named set."""
    if VENV.is_symlink():
        return
    if is_ready(name):
        return
    waiting = ROOT / ".cache" / "bootstrap.lock"
    waiting.parent.mkdir(exist_ok=True)
    with waiting.open("w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if is_ready(name):
            return
        make_venv()
        install(name)
        link()
        held = {each: lock_hash(each) for each in SETS[: SETS.index(name) + 1]}
        STAMP.write_text(json.dumps({"root": str(ROOT), **held}), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in SETS:
        main(sys.argv[1])
    else:
        sys.exit(f"usage: scripts/python scripts/bootstrap.py {'|'.join(SETS)}")
