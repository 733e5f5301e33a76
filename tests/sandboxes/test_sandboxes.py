from pathlib import Path

import pytest

from ground import Require
from lar.errors import SandboxError
from lar.sandboxes.bubblewrap import Bubblewrap
from lar.sandboxes.cgroups import Cgroups
from lar.sandboxes.choose import backend
from lar.sandboxes.contract import Sandbox, Spec
from lar.sandboxes.docker import Docker
from lar.sandboxes.jail import Jail
from lar.sandboxes.limits import Local
from lar.sandboxes.settings import DockerSettings, JailSettings, SandboxSettings
from lar.testing.sandbox_contract import SandboxContract


class TestBubblewrap(SandboxContract):
    """Bubblewrap, as whoever runs the tests."""

    @pytest.fixture
    async def sandbox(self, bubblewrap: Bubblewrap) -> Sandbox:
        """The one under test."""
        return bubblewrap


class TestDocker(SandboxContract):
    """A real engine."""

    @pytest.fixture
    async def sandbox(self, docker: Docker) -> Sandbox:
        """The one under test."""
        return docker


class TestJail(SandboxContract):
    """Behind a prefix that does nothing."""

    @pytest.fixture
    async def sandbox(self) -> Sandbox:
        """The one under test."""
        return Jail(JailSettings(command_prefix=("/usr/bin/env",), artifacts_allow_in_jail=True))


class TestNone(SandboxContract):
    """As Lar itself."""

    @pytest.fixture
    async def sandbox(self) -> Sandbox:
        """The one under test."""
        return Local("none")


class TestBasic(SandboxContract):
    """As somebody else, if we may."""

    @pytest.fixture
    async def sandbox(self) -> Sandbox:
        """The one under test."""
        return Local("basic")


class TestRlimit(SandboxContract):
    """With limits of each process."""

    @pytest.fixture
    async def sandbox(self) -> Sandbox:
        """The one under test."""
        return Local("rlimit")


class TestCgroup(SandboxContract):
    """With limits of the whole run."""

    @pytest.fixture
    async def sandbox(self, require: Require) -> Sandbox:
        """The one under test."""
        found = bool(Cgroups().controllers)
        require("a control group to make others in", "make test as root, or under systemd-run", found=found)
        return Local("cgroup")


@pytest.mark.parametrize("name", ["bubblewrap", "docker", "cgroup", "rlimit", "basic", "none", "jail"])
async def test_folders_nobody_is_given(name: str, tmp_path: Path) -> None:
    """R-SB-2, R-SB-3: the whole machine, Lar's home and what it is in are refused, by any name, before they change."""
    home = tmp_path / "user" / ".lar"
    home.mkdir(parents=True)
    before = home.parent.stat()
    jail = JailSettings(command_prefix=("/usr/bin/env",))
    sandbox = backend(name, SandboxSettings(jail=jail), home=tmp_path / "user" / ".." / "user" / ".lar")
    for work in (Path("/"), Path("/.."), home, home.parent, tmp_path):
        with pytest.raises(SandboxError, match=r"made for this|no folder|is missing|control group"):
            await sandbox.run(Spec(("true",), work))
    assert home.parent.stat() == before


async def test_an_image_that_is_missing(docker_host: str, tmp_path: Path) -> None:
    """R-SB-1: without its image docker says how to build it, at the self-test and at a run."""
    sandbox = Docker(DockerSettings(host=docker_host, image="no-such-image"))
    found = await sandbox.check()
    assert (found.works, found.lacks[0][1]) == (False, "docker build -t lar-sandbox docker/sandbox")
    with pytest.raises(SandboxError, match="docker build"):
        await sandbox.run(Spec(("true",), tmp_path))


async def test_an_engine_that_is_missing() -> None:
    """R-SB-1: without an engine, or without docker at all, the self-test says what to install."""
    silent = await Docker(DockerSettings(host="unix:///nowhere.sock")).check()
    absent = await Docker(DockerSettings(command="no-such-docker")).check()
    assert [each.works for each in (silent, absent)] == [False, False]
    assert all("apt install docker.io" in each.lacks[0][1] for each in (silent, absent))


async def test_jails_without_walls() -> None:
    """R-SB-3: a jail without a prefix, or with one that is not installed, is none, and says so."""
    empty, missing = Jail(JailSettings()), Jail(JailSettings(command_prefix=("no-such-jail",)))
    assert [(await each.check()).works for each in (empty, missing)] == [False, False]
    assert not empty.hands_back


@pytest.mark.parametrize("name", ["bubblewrap", "docker", "cgroup", "rlimit", "basic", "none", "jail"])
def test_backends_by_name(name: str) -> None:
    """R-SB-3: every backend that can be set is built under its own name; nothing else is."""
    assert backend(name, SandboxSettings()).name == name
    with pytest.raises(SandboxError, match="no sandbox called"):
        backend(f"{name}2", SandboxSettings())
