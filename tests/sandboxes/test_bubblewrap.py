import asyncio
import re
from getpass import getuser
from pathlib import Path

import pytest

from lar.errors import SandboxError
from lar.sandboxes.bubblewrap import Bubblewrap
from lar.sandboxes.contract import Limits, Promise, Spec


def _made(work: Path) -> list[Path]:
    return list(work.iterdir())


async def test_a_command_runs_in_its_work_folder(bubblewrap: Bubblewrap, work: Path) -> None:
    """R-SB-2: input, arguments, environment, output, exit code and files pass the walls; nothing else does."""
    (work / "in.txt").write_text("from outside")
    script = 'cat in.txt -; echo " $1 $GIVEN"; env | cut -d= -f1 | sort | tr "\\n" " "; echo made >out.txt; exit 3'
    spec = Spec(("sh", "-c", script, "sh", "a b"), work, stdin=b" typed", environment={"GIVEN": "x=1"})
    result = await bubblewrap.run(spec)
    assert result.stdout == b"from outside typed a b x=1\nGIVEN HOME LANG PATH PWD TMPDIR "
    assert (result.exit_code, result.signal, result.stderr) == (3, None, b"")
    assert (work / "out.txt").read_text() == "made\n"
    assert {each.owner() for each in (work, *_made(work))} == {getuser()}


async def test_how_runs_end(bubblewrap: Bubblewrap, work: Path) -> None:
    """R-SB-2: a signal, a missing program, the timeout and the cap of output are told apart."""
    killed = await bubblewrap.run(Spec(("sh", "-c", "kill -15 $$"), work))
    assert (killed.exit_code, killed.signal) == (None, 15)
    missing = await bubblewrap.run(Spec(("no-such-program",), work))
    assert (missing.exit_code, b"no-such-program" in missing.stderr) == (127, True)
    late = await bubblewrap.run(Spec(("sleep", "60"), work, limits=Limits(seconds=0.3)))
    assert (late.exit_code, late.signal, late.timed_out) == (None, 9, True)
    flood = await bubblewrap.run(Spec(("yes",), work, limits=Limits(output=1000)))
    assert (flood.truncated, len(flood.stdout) + len(flood.stderr)) == (True, 1000)


async def test_cancelling_ends_everything(bubblewrap: Bubblewrap, work: Path) -> None:
    """R-SB-2: when a cancelled run returns, nothing of it is left."""
    mark = "86399.25"
    run = asyncio.ensure_future(
        bubblewrap.run(Spec(("sh", "-c", f"setsid sleep {mark} & touch on; sleep {mark}"), work))
    )
    while not _made(work):
        assert not run.done()
        await asyncio.sleep(0.01)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert not _running(mark)


def _running(mark: str) -> list[Path]:
    """Processes with this in their command line."""
    return [each for each in Path("/proc").glob("[0-9]*/cmdline") if mark.encode() in _content(each)]


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


async def test_folders_it_may_read(bubblewrap: Bubblewrap, work: Path, tmp_path: Path) -> None:
    """R-SB-2: a folder it is lent can be read under its own name and not changed; its neighbour is not there."""
    for name in ("lent", "kept"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    script = f"cat {tmp_path}/lent/file; touch {tmp_path}/lent/new; cat {tmp_path}/kept/file"
    result = await bubblewrap.run(Spec(("sh", "-c", script), work, readable=(tmp_path / "lent",)))
    assert result.stdout == b"lent"
    assert b"Read-only" in result.stderr
    assert b"No such file" in result.stderr


async def test_two_runs_in_one_folder(bubblewrap: Bubblewrap, work: Path) -> None:
    """R-SB-2: calls of one turn share their work folder at the same time, and both may write there."""
    wait = (
        "touch $1; n=0; until [ -e $2 ] || [ $n = 500 ]; do n=$((n+1)); sleep 0.01; done; [ -e $2 ] && echo both >>$1"
    )
    first, second = (bubblewrap.run(Spec(("sh", "-c", wait, "sh", *pair), work)) for pair in (("a", "b"), ("b", "a")))
    results = await asyncio.gather(first, second)
    assert [result.exit_code for result in results] == [0, 0]
    assert (work / "a").read_text() == (work / "b").read_text() == "both\n"


async def test_what_cannot_be_given_is_refused(bubblewrap: Bubblewrap, work: Path) -> None:
    """R-SB-2: no internet without this machine's own services; no work folder that is not one."""
    with pytest.raises(SandboxError, match="use docker"):
        await bubblewrap.run(Spec(("true",), work, network=True))
    with pytest.raises(SandboxError, match="cannot be used"):
        await bubblewrap.run(Spec(("true",), work / "missing"))
    (work / "link").symlink_to("/etc")
    with pytest.raises(SandboxError, match="is no folder"):
        await bubblewrap.run(Spec(("true",), work / "link"))


async def test_the_self_test(bubblewrap: Bubblewrap, tmp_path: Path) -> None:
    """R-SB-2: the self-test names what holds; without the program it says what to install."""
    found = await bubblewrap.check()
    assert {Promise.FILES, Promise.ENVIRONMENT, Promise.DAEMONS} <= found.promises == bubblewrap.promises
    assert re.search(r"ran in \d+ ms", found.detail)
    absent = Bubblewrap(path=str(tmp_path))
    refused = await absent.check()
    assert not refused.works
    assert "apt install bubblewrap" in refused.lacks[0][1]
    with pytest.raises(SandboxError, match="apt install bubblewrap"):
        await absent.run(Spec(("true",), tmp_path))


@pytest.mark.usefixtures("bubblewrap")
async def test_two_sandboxes_run_beside_each_other(tmp_path: Path) -> None:
    """R-SB-2: the tools' sandbox and the browser's, each with runs of its own, are in nobody's way."""
    folders = [tmp_path / "tools", tmp_path / "browser"]
    for folder in folders:
        folder.mkdir()
    runs = [Spec(("sh", "-c", "sleep 0.2; echo ok"), folder) for folder in folders]
    results = await asyncio.gather(
        *(each.run(spec) for each, spec in zip((Bubblewrap(), Bubblewrap()), runs, strict=True))
    )
    assert [result.stdout for result in results] == [b"ok\n", b"ok\n"]
