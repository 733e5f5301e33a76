"""Set-up with one command: what it finds, what it refuses, and what it says."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import bootstrap

ROOT = Path(__file__).resolve().parents[2]
FINDER = ROOT / "scripts" / "python"
FAKE = """#!/bin/sh
case "$2" in
*version_info*) exit {fits} ;;
*ensurepip*) exit {whole} ;;
*) echo {name} "$@" ;;
esac
"""


def machine(folder: Path, **pythons: tuple[bool, bool]) -> Path:
    """A PATH folder with these Pythons: of a supported version or not, with ensurepip or without."""
    folder.mkdir(exist_ok=True)
    for name, (fits, whole) in pythons.items():
        path = folder / name.replace("_", ".")
        path.write_text(FAKE.format(fits=int(not fits), whole=int(not whole), name=path.name))
        path.chmod(0o755)
    return folder


def find(*folders: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What the finder answers where PATH has only these folders. Real Pythons of the machine come last."""
    path = ":".join(map(str, folders))
    return subprocess.run(  # noqa: S603  # the words are ours
        ["/bin/sh", str(FINDER), "-V"], capture_output=True, text=True, check=False, env={"PATH": path, **environment}
    )


def test_first_whole_python_is_taken(tmp_path: Path) -> None:
    """One that cannot make an environment gives way to a later one that can."""
    folder = machine(tmp_path / "bin", python3=(True, False), python3_13=(True, True))
    assert find(folder).stdout == "python3.13 -V\n"


def test_old_python_is_passed_by(tmp_path: Path) -> None:
    """A `python3` that is too old does not hide a newer one, wherever on PATH it is."""
    old = machine(tmp_path / "old", python3=(False, True))
    new = machine(tmp_path / "new", python3_12=(True, True))
    assert find(old, new).stdout == "python3.12 -V\n"


def test_named_python_wins(tmp_path: Path) -> None:
    """Who names a Python gets it."""
    folder = machine(tmp_path / "bin", python3=(True, True), mine=(True, False))
    assert find(folder, LAR_PYTHON=str(folder / "mine")).stdout == "mine -V\n"


def test_unfit_named_python_is_refused(tmp_path: Path) -> None:
    """Who names one that does not fit is told, and no other is taken in silence."""
    folder = machine(tmp_path / "bin", python3=(True, True), mine=(False, False))
    answer = find(folder, LAR_PYTHON=str(folder / "mine"))
    assert answer.returncode == 1
    assert "is not a 64-bit Python" in answer.stderr


def test_no_python_names_the_package_per_distribution() -> None:
    """Where there is none, the words to type are there, with a route without root."""
    text = FINDER.read_text()
    for word in ("Debian", "Fedora", "Arch", "Alpine", "macOS", "without root"):
        assert word in text
        assert word in bootstrap.NO_VENV
        assert word in bootstrap.NO_PACKAGES


@pytest.mark.parametrize(
    ("present", "words"),
    [
        ({"ensurepip", "venv", "virtualenv"}, ["-m", "venv"]),
        ({"venv", "virtualenv"}, ["-m", "virtualenv"]),
        ({"virtualenv"}, ["-m", "virtualenv"]),
        ({"uv"}, ["venv"]),
        (set[str](), []),
    ],
)
def test_environment_is_made_by_what_there_is(
    present: set[str], words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """venv, then virtualenv, then uv; with none of them, nothing is tried."""

    def found(name: str) -> str | None:
        return name if name in present else None

    monkeypatch.setattr("importlib.util.find_spec", found)
    monkeypatch.setattr("shutil.which", found)
    command = bootstrap.venv_command() or []
    assert command[1 : 1 + len(words)] == words
    assert bool(command) == bool(words)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with locks, in a folder with a space in its name, and an environment that pretends to work."""
    root = tmp_path / "my checkout"
    venv = root / ".venv"
    (root / "locks").mkdir(parents=True)
    for name in bootstrap.SETS:
        (root / "locks" / f"{name}.lock").write_text(name)
    (venv / "bin").mkdir(parents=True)
    (venv / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    for name, value in {
        "ROOT": root,
        "VENV": venv,
        "PYTHON": venv / "bin" / "python",
        "STAMP": venv / "lar-stamp.json",
    }.items():
        monkeypatch.setattr(bootstrap, name, value)
    return root


@pytest.fixture
def installed(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sets that were installed, in order; nothing is downloaded."""
    assert checkout.exists()
    sets: list[str] = []
    monkeypatch.setattr(bootstrap, "install", sets.append)
    monkeypatch.setattr(bootstrap, "make_venv", lambda: None)
    return sets


def test_second_time_does_nothing(installed: list[str]) -> None:
    """A command that is set up starts at once."""
    bootstrap.main("run")
    bootstrap.main("run")
    assert installed == ["run"]


def test_wider_set_serves_the_narrower(installed: list[str]) -> None:
    """Whoever ran the tests need not install again to run Lar."""
    bootstrap.main("dev")
    bootstrap.main("run")
    bootstrap.main("bench")
    assert installed == ["dev", "bench"]


def test_changed_lock_installs_again(checkout: Path, installed: list[str]) -> None:
    """A pull that changes the lock is followed by itself."""
    bootstrap.main("run")
    (checkout / "locks" / "run.lock").write_text("changed")
    bootstrap.main("run")
    assert installed == ["run", "run"]


def test_broken_stamp_installs_again(installed: list[str]) -> None:
    """A power cut while the stamp was written is no lasting damage."""
    bootstrap.main("run")
    bootstrap.STAMP.write_text('{"run": ')
    bootstrap.main("run")
    assert installed == ["run", "run"]


def test_moved_checkout_installs_again(installed: list[str]) -> None:
    """A copied folder does not run the code of the one it was copied from."""
    bootstrap.main("run")
    stamp = json.loads(bootstrap.STAMP.read_text())
    bootstrap.STAMP.write_text(json.dumps({**stamp, "root": "/elsewhere"}))
    bootstrap.main("run")
    assert installed == ["run", "run"]


def test_own_environment_is_left_alone(checkout: Path, installed: list[str], tmp_path: Path) -> None:
    """A `.venv` somebody linked is used as it is."""
    (checkout / ".venv").rename(tmp_path / "mine")
    (checkout / ".venv").symlink_to(tmp_path / "mine")
    bootstrap.main("dev")
    assert installed == []


def test_command_starts_from_a_path_with_spaces(checkout: Path) -> None:
    """`.venv/bin/lar` runs this checkout's code, wherever it lies, and not the files of the folder it is called in."""
    package = checkout / "src" / "lar"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "cli.py").write_text("import sys\ndef main():\n    print(sys.argv[1:])\n    return 7\n")
    (checkout / "sys.py").write_text("raise SystemExit('wrong')")
    bootstrap.link()
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src")}
    answer = subprocess.run(  # noqa: S603  # the words are ours
        [str(checkout / ".venv/bin/lar"), "status", "a b"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=checkout,
    )
    assert (answer.returncode, answer.stdout) == (7, "['status', 'a b']\n")


def pins(name: str) -> dict[str, str]:
    """Package and version of each entry of a lock."""
    text = (ROOT / "locks" / f"{name}.lock").read_text()
    return dict(re.findall(r"^([a-z0-9.-]+)==([^ ]+)", text, re.MULTILINE))


def test_locks_agree() -> None:
    """Each set holds the ones before it at the same versions, so that one environment can grow."""
    run, dev, bench = pins("run"), pins("dev"), pins("bench")
    assert run
    assert run.items() <= dev.items() <= bench.items()


@pytest.mark.parametrize("name", bootstrap.SETS)
def test_locks_are_hashed_and_without_addresses(name: str) -> None:
    """Nothing is installed that was not looked at, from wherever the machine gets its packages."""
    text = (ROOT / "locks" / f"{name}.lock").read_text()
    entries = re.split(r"\n(?=[a-z])", text.strip())
    assert [entry.partition("=")[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert re.search(r"://|--index|--find-links|^-", text, re.MULTILINE) is None


def test_declared_dependencies_are_locked() -> None:
    """A dependency that was added without `make lock` is noticed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[\[<>=~ ]", each)[0] for each in project["dependencies"]}
    assert declared - pins("run").keys() == set()
