"""Cameras: one still, by a program that ends, whatever that program does."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ground import Require
from lar.errors import ToolError
from lar.media.camera import PATH, Cameras, devices
from lar.testing.stage import until
from lar.tools.settings import CameraSettings

JPEG = "printf '\\377\\330\\377\\340 a photo'"

Make = Callable[..., Cameras]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes a camera of a shell script; `$1` is the file it writes, `$2` the warm-up time."""

    def camera(script: str, **settings: object) -> Cameras:
        program = tmp_path / "take"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        values = {"command": f"{program} {{output}} {{warmup_ms}}", **settings}
        return Cameras(CameraSettings.model_validate(values))

    return camera


async def refused(cameras: Cameras) -> str:
    """Why no photo came."""
    with pytest.raises(ToolError) as caught:
        await cameras.take("camera")
    return str(caught.value)


async def test_a_real_program_takes_a_still(require: Require) -> None:
    """R-TO-6: any command that writes an image is a camera: here ffmpeg's test picture, as PNG and as JPEG."""
    require("ffmpeg", "sudo apt install ffmpeg")
    command = "ffmpeg -loglevel error -f lavfi -i testsrc=size=320x240 -frames:v 1 -y {output}"
    png = command.replace("-y", "-c:v png -f image2 -y")
    cameras = Cameras(CameraSettings(cameras={"hall": command, "garden": png}))
    assert cameras.names == ("hall", "garden")
    hall, garden = await cameras.take("hall"), await cameras.take("garden")
    assert (hall.mime, garden.mime) == ("image/jpeg", "image/png")
    assert len(hall.data) > 1000


async def test_what_the_program_gets(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-TO-6, R-PO-5: the file and the warm-up time it is told, an environment without secrets, a folder of its own."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    cameras = make(f"echo $2 >{tmp_path}/told; env >>{tmp_path}/told; ls >>{tmp_path}/told; {JPEG} >$1", warmup_ms=250)
    still = await cameras.take("camera")
    assert still.data.endswith(b"a photo")
    told = (tmp_path / "told").read_text().splitlines()
    assert told[0] == "250"
    names = {line.partition("=")[0] for line in told[1:]} - {"_", "SHLVL", "OLDPWD"}
    assert names == {"PATH", "HOME", "LANG", "PWD"}
    folder = next(line for line in told if line.startswith("HOME=")).removeprefix("HOME=")
    assert not _is_there(folder)


def _is_there(path: str) -> bool:
    return Path(path).exists()


async def test_a_slow_one_is_ended_with_all_it_started(make: Make, tmp_path: Path) -> None:
    """R-TO-6: at its timeout the whole process group ends, and the text says so."""
    script = f"sleep 60 & echo $! >{tmp_path}/pid; wait"
    assert "took longer than 0.3 seconds" in await refused(make(script, timeout_seconds=0.3))
    pid = int((tmp_path / "pid").read_text())
    await until(lambda: not Path(f"/proc/{pid}").exists() or _is_dead(pid), 5)


def _is_dead(pid: int) -> bool:
    """Ended, and not buried yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


async def test_one_that_is_cancelled_is_ended(make: Make, tmp_path: Path) -> None:
    """R-TO-6: `/stop` releases the camera, and the next still is taken."""
    cameras = make(f"[ -e {tmp_path}/once ] && {JPEG} >$1 && exit; echo $$ >{tmp_path}/once; sleep 60")
    task = asyncio.create_task(cameras.take("camera"))
    await until((tmp_path / "once").exists)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await cameras.take("camera")).mime == "image/jpeg"


async def test_one_at_a_time(make: Make, tmp_path: Path) -> None:
    """R-TO-6: two who want the same camera get their stills one after the other."""
    cameras = make(f"mkdir {tmp_path}/held || exit 1; sleep 0.2; rmdir {tmp_path}/held; {JPEG} >$1")
    started = time.monotonic()
    stills = await asyncio.gather(*(cameras.take("camera") for _ in range(3)))
    assert len(stills) == 3
    assert time.monotonic() - started > 0.55


@pytest.mark.parametrize(
    ("script", "settings", "words"),
    [
        ("echo 'ERROR: Device or resource busy' >&2; exit 1", {}, "another program is using it"),
        ("echo '/dev/video0: Permission denied' >&2; exit 1", {}, "usermod -aG video"),
        ("echo 'ERROR: *** no cameras available ***' >&2; exit 255", {}, "no camera is connected"),
        ("echo 'the shutter is stuck' >&2; exit 3", {}, "ended with 3 (the shutter is stuck)"),
        ("exit 3", {}, "it said nothing"),
        ("true", {}, "must write to {output}"),
        ("echo '<html>' >$1", {}, "no JPEG, PNG, GIF or WebP image"),
        (f"{JPEG} >$1; head -c 5000 /dev/zero >>$1", {"max_bytes": 4000}, "larger than 4KB"),
        ("ln -s /etc/passwd $1", {}, "must write to {output}"),
        ("mkfifo $1", {}, "must write to {output}"),
        ("yes", {}, "of text and was stopped"),
        ("while head -c 1000000 /dev/zero; do sleep 0.01; done >$1", {"max_bytes": 100_000}, "larger than 100KB"),
    ],
)
async def test_trouble_is_explained(make: Make, script: str, settings: dict[str, object], words: str) -> None:
    """R-TO-6: a person reads what is wrong and what to do; a flood or a trick gives no photo, and holds nobody up."""
    assert words in await refused(make(script, **settings))


async def test_a_program_that_vanished(make: Make, tmp_path: Path) -> None:
    """R-TO-6: a program that was removed since the start is named."""
    cameras = make("exit")
    (tmp_path / "take").unlink()
    assert "take cannot be started" in await refused(cameras)


def test_cameras_are_found_by_their_programs(tmp_path: Path) -> None:
    """R-TO-6: a program named alone gets the usual arguments; its older name stands in; a missing one is no camera."""
    [missing] = devices(CameraSettings(), str(tmp_path))
    assert missing.lacks == "there is no program rpicam-still"
    assert Cameras(CameraSettings(), [missing]).names == ()
    old = tmp_path / "libcamera-still"
    old.touch(mode=0o755)
    [found] = devices(CameraSettings(), f"{tmp_path}{os.pathsep}{PATH}")
    assert found.argv[0] == str(old)
    assert found.argv[-1] == "{output}"
    assert devices(CameraSettings(command="")) == ()


def test_a_camera_is_chosen_by_name() -> None:
    """R-TO-6: without a name the only camera is meant; of several, one must be named."""
    one, two = (
        Cameras(CameraSettings(cameras=dict.fromkeys(names, "true {output}"))) for names in (("a",), ("a", "b"))
    )
    assert one.chosen("") == two.chosen("a") == "a"
    with pytest.raises(ToolError, match="no camera 'c'; there are: a, b"):
        two.chosen("c")
    with pytest.raises(ToolError, match="Which camera"):
        two.chosen("")


def test_a_command_must_be_one() -> None:
    """A camera without a command is a mistake of the configuration, told at the start."""
    with pytest.raises(ValueError, match="should be a command"):
        CameraSettings(cameras={"hall": " "})
