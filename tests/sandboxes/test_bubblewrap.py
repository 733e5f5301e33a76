import asyncio
import re
from pathlib import Path

import pytest

from lar.errors import SandboxError
from lar.sandboxes.bubblewrap import Bubblewrap
from lar.sandboxes.contract import Promise, Spec


def _made(work: Path) -> list[Path]:
    return list(work.iterdir())


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


async def test_two_runs_at_the_same_time(bubblewrap: Bubblewrap, work: Path) -> None:
    """R-SB-2: calls of one turn share their work folder at the same time, and both may write there."""
    wait = (
        "touch $1; n=0; until [ -e $2 ] || [ $n = 500 ]; do n=$((n+1)); sleep 0.01; done; [ -e $2 ] && echo both >>$1"
    )
    first, second = (bubblewrap.run(Spec(("sh", "-c", wait, "sh", *pair), work)) for pair in (("a", "b"), ("b", "a")))
    results = await asyncio.gather(first, second)
    assert [result.exit_code for result in results] == [0, 0]
    assert (work / "a").read_text() == (work / "b").read_text() == "both\n"


async def test_what_cannot_be_given_is_refused(bubblewrap: Bubblewrap, work: Path) -> None:
    """R-SB-2: there is no internet without this machine's own services."""
    with pytest.raises(SandboxError, match="use docker"):
        await bubblewrap.run(Spec(("true",), work, network=True))


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
