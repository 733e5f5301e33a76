"""Which sandbox commands get."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from lar.errors import SandboxError
from lar.sandboxes import choose
from lar.sandboxes.choose import STRONG, Chooser, Tried, backend, explain, pick, try_out, wanted
from lar.sandboxes.contract import Check, Promise, Result, Sandbox, Spec
from lar.sandboxes.settings import Backend, SandboxSettings

WELL = Check(True, "well", STRONG | {Promise.MEMORY_WATCHED, Promise.DISK_WATCHED})
ABSENT = Check(False, "it is not there", lacks=(("it", "apt install it"),))


@dataclass
class Pretended:
    """A sandbox that finds what it is told to find. A `Sandbox`."""

    name: str
    found: Check | Exception = WELL
    recovery: Exception | None = None
    hands_back: bool = True
    internet: bool = False
    log: list[str] = field(default_factory=list[str])

    @property
    def promises(self) -> frozenset[Promise]:
        """What it is said to keep."""
        return self.found.promises if isinstance(self.found, Check) else frozenset()

    async def run(self, spec: Spec) -> Result:
        """It runs nothing."""
        raise SandboxError(f"{spec.argv} is not run")

    async def check(self) -> Check:
        """What it is told to find."""
        self.log.append("check")
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    async def recover(self) -> None:
        """Clear up, or fail."""
        self.log.append("recover")
        if self.recovery:
            raise self.recovery


def maker(*sandboxes: Pretended) -> Callable[[str, SandboxSettings], Sandbox]:
    """What makes these instead of the real ones."""
    by_name = {each.name: each for each in sandboxes}
    return lambda name, _: by_name[name]


async def chosen(settings: SandboxSettings, *sandboxes: Pretended) -> tuple[str, str]:
    """The name of what is chosen, and the problem that is told."""
    told: dict[str, str | None] = {}
    chooser = Chooser(settings, told.__setitem__, maker(*sandboxes))
    await chooser.settled()
    await chooser.close()
    return chooser.sandbox.name if chooser.sandbox else "", told["sandbox"] or ""


async def test_auto_takes_the_first_strong_one() -> None:
    """R-SB-2: bubblewrap where its self-test passes, else docker; what a killed Lar left there is cleared up."""
    bubblewrap, docker = Pretended("bubblewrap"), Pretended("docker")
    assert await chosen(SandboxSettings(), bubblewrap, docker) == ("bubblewrap", "")
    assert (bubblewrap.log, docker.log) == (["check", "recover"], [])
    assert await chosen(SandboxSettings(), replace(bubblewrap, found=ABSENT), docker) == ("docker", "")
    assert docker.log == ["check", "recover"]


@pytest.mark.parametrize("weaker", [*sorted(WELL.promises)])
async def test_auto_takes_nothing_weak(weaker: Promise) -> None:
    """R-SB-2: one promise less, and `auto` gives no sandbox at all, with what is missing and what gets it."""
    weak = Check(True, "well", WELL.promises - {weaker}, lacks=(("a wall", "apt install wall"),))
    name, problem = await chosen(SandboxSettings(), Pretended("bubblewrap", weak), Pretended("docker", ABSENT))
    assert name == ""
    assert f"bubblewrap: it does not promise {weaker} here (a wall: apt install wall)" in problem
    assert "docker: it is not there (it: apt install it)" in problem


async def test_what_is_named_need_only_work() -> None:
    """R-SB-3: a weak sandbox is used if it is spelled out; one that does not work is never replaced by another."""
    weak = Pretended("none", Check(True, "well"))
    none = SandboxSettings(backend=Backend.NONE)
    assert wanted(none) == (Backend.NONE,)
    assert await chosen(none, weak) == ("none", "")
    docker = SandboxSettings(backend=Backend.DOCKER)
    name, problem = await chosen(docker, Pretended("docker", ABSENT), Pretended("bubblewrap"), weak)
    assert (name, "tools that run commands are off" in problem) == ("", True)


@pytest.mark.parametrize("error", [SandboxError("no walls"), OSError("no disk")])
async def test_a_sandbox_that_fails_does_not_work(error: Exception) -> None:
    """R-SB-2: whatever goes wrong when a sandbox tries itself is a reason not to use it, not the end of Lar."""
    assert str(error) in (await try_out(Pretended("docker", error))).check.detail
    assert await chosen(SandboxSettings(), Pretended("bubblewrap", recovery=error), Pretended("docker")) == (
        "bubblewrap",
        "",
    )


async def test_a_sandbox_that_hangs_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-SB-2: an engine that does not answer holds nobody up for ever."""
    monkeypatch.setattr(choose, "PATIENCE", 0.01)

    class Hanging(Pretended):
        async def check(self) -> Check:
            await asyncio.Event().wait()
            return WELL

    assert "does not answer" in (await try_out(Hanging("docker"))).check.detail


async def test_what_comes_later_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-SB-2: an engine that starts after Lar is found; until then the reason is shown."""
    monkeypatch.setattr(choose, "RETRY_FIRST", 0.0)
    told: list[str | None] = []
    docker = Pretended("docker", ABSENT)
    chooser = Chooser(SandboxSettings(backend=Backend.DOCKER), lambda _, text: told.append(text), maker(docker))
    await chooser.settled()
    assert chooser.sandbox is None
    docker.found = WELL
    await chooser.watch()
    assert chooser.sandbox is docker
    assert [text is None for text in told] == [False, True]


def test_every_backend_can_be_made() -> None:
    """R-SB-3: each name of the settings is a sandbox of that name, and what is shown explains itself."""
    settings = SandboxSettings()
    names = [name for name in Backend if name is not Backend.AUTO]
    made = [backend(name, settings) for name in names]
    assert [each.name for each in made] == names
    tried = [Tried(each, ABSENT) for each in made]
    assert pick(tried, settings) is None
    assert explain(tried, settings).count("it is not there") == 2
    with pytest.raises(SandboxError, match="no sandbox called nonsense"):
        backend("nonsense", settings)
