"""What every sandbox must do, walls aside. Subclass `SandboxContract` in a test module and give it a sandbox.

The walls are attacked by `sandbox_attacks`.
"""

import asyncio
import os
import secrets
import tempfile
from pathlib import Path

import pytest

from lar.errors import SandboxError
from lar.sandboxes.contract import Limits, Sandbox, Spec

_OURS = {"GIVEN", "HOME", "LANG", "PATH", "TMPDIR"}
_OF_THE_SHELL = {"HOSTNAME", "OLDPWD", "PWD", "SHLVL", "_"}


class SandboxContract:
    """The suite, for one sandbox."""

    @pytest.fixture
    async def sandbox(self) -> Sandbox:
        """The sandbox under test."""
        raise NotImplementedError

    async def test_a_command_runs_in_its_work_folder(self, sandbox: Sandbox, tmp_path: Path) -> None:
        """R-SB-1, R-SB-2, R-SB-3: input, arguments, environment, output, exit code and files pass, no more."""
        work = _folder(tmp_path)
        (work / "in.txt").write_text("from outside")
        script = 'cat in.txt -; echo " $1 $GIVEN"; env | cut -d= -f1; echo made >out.txt; exit 3'
        spec = Spec(("sh", "-c", script, "sh", "a b"), work, stdin=b" typed", environment={"GIVEN": "x=1"})
        result = await sandbox.run(spec)
        said, *names = result.stdout.decode().splitlines()
        assert said == "from outside typed a b x=1"
        assert set(names) >= _OURS >= set(names) - _OF_THE_SHELL
        assert (result.exit_code, result.signal, result.stderr) == (3, None, b"")
        assert (work / "out.txt").read_text() == "made\n"
        assert {path.stat().st_uid for path in (work, *work.iterdir())} == {os.geteuid()}

    async def test_how_runs_end(self, sandbox: Sandbox, tmp_path: Path) -> None:
        """R-SB-1, R-SB-2, R-SB-3: a signal, the timeout and the cap of output are told apart."""
        work = _folder(tmp_path)
        killed = await sandbox.run(Spec(("sh", "-c", "kill -15 $$"), work))
        assert (killed.exit_code, killed.signal) == (None, 15)
        late = await sandbox.run(Spec(("sleep", "60"), work, limits=Limits(seconds=1)))
        assert (late.exit_code, late.signal, late.timed_out) == (None, 9, True)
        flood = await sandbox.run(Spec(("yes",), work, limits=Limits(output=1000)))
        assert (flood.truncated, len(flood.stdout) + len(flood.stderr)) == (True, 1000)

    async def test_a_missing_program(self, sandbox: Sandbox, tmp_path: Path) -> None:
        """R-SB-1, R-SB-2, R-SB-3: a program that is not there is said to be missing, by name, one way or the other."""
        try:
            result = await sandbox.run(Spec(("no-such-program",), _folder(tmp_path)))
        except SandboxError as error:
            assert "no-such-program" in str(error)  # noqa: PT017  # both ways are right
        else:
            assert (result.exit_code, b"no-such-program" in result.stderr) == (127, True)

    async def test_cancelling_ends_it(self, sandbox: Sandbox, tmp_path: Path) -> None:
        """R-SB-1, R-SB-2, R-SB-3: when a cancelled run returns, its command is gone."""
        work = _folder(tmp_path)
        mark = f"8{secrets.randbelow(10**9)}.25"
        run = asyncio.ensure_future(sandbox.run(Spec(("sh", "-c", f"touch on; sleep {mark}"), work)))
        while not (work / "on").exists():
            assert not run.done()
            await asyncio.sleep(0.01)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert not _running(mark)

    async def test_folders_it_may_read(self, sandbox: Sandbox, tmp_path: Path) -> None:
        """R-SB-1, R-SB-2, R-SB-3: a folder it is lent is there under its own name."""
        with tempfile.TemporaryDirectory() as lent:
            _fill(Path(lent))
            result = await sandbox.run(Spec(("cat", f"{lent}/file"), _folder(tmp_path), readable=(Path(lent),)))
        assert result.stdout == b"lent"

    async def test_two_runs_in_one_folder(self, sandbox: Sandbox, tmp_path: Path) -> None:
        """R-SB-1, R-SB-2, R-SB-3: calls of one turn share a work folder, and the end of one is not another's."""
        work = _folder(tmp_path)
        runs = (Spec(("sh", "-c", f"sleep 0.{seconds}; echo done >{seconds}"), work) for seconds in (1, 4))
        results = await asyncio.gather(*map(sandbox.run, runs))
        assert [result.exit_code for result in results] == [0, 0]
        assert (work / "1").read_text() == (work / "4").read_text() == "done\n"

    async def test_no_folder_no_run(self, sandbox: Sandbox, tmp_path: Path) -> None:
        """R-SB-1, R-SB-2, R-SB-3: a work folder that is missing, or a link, is refused before anything starts."""
        with pytest.raises(SandboxError, match="cannot be used"):
            await sandbox.run(Spec(("true",), tmp_path / "missing"))
        (tmp_path / "link").symlink_to("/etc")
        with pytest.raises(SandboxError, match="is no folder"):
            await sandbox.run(Spec(("true",), tmp_path / "link"))

    async def test_the_self_test(self, sandbox: Sandbox) -> None:
        """R-SB-2: the self-test says that it works, and what is kept; there is nothing to recover after good runs."""
        found = await sandbox.check()
        assert found.works, found.detail
        assert found.promises == sandbox.promises
        await sandbox.recover()


def _folder(below: Path) -> Path:
    folder = below / "work"
    folder.mkdir()
    return folder


def _fill(folder: Path) -> None:
    folder.chmod(0o755)
    (folder / "file").write_text("lent")


def _running(mark: str) -> list[Path]:
    return [path for path in Path("/proc").glob("[0-9]*/cmdline") if mark.encode() in _content(path)]


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
