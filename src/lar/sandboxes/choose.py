"""Which sandbox commands get: never a weaker one than was asked for."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from lar.errors import SandboxError
from lar.sandboxes.bubblewrap import Bubblewrap
from lar.sandboxes.contract import Check, Promise, Sandbox
from lar.sandboxes.docker import Docker
from lar.sandboxes.jail import Jail
from lar.sandboxes.limits import Local
from lar.sandboxes.settings import Backend, SandboxSettings

log = structlog.get_logger(__name__)

SOURCE = "sandbox"
"""What the problem of having no sandbox is called."""

WALLS = frozenset({
    Promise.FILES, Promise.ENVIRONMENT, Promise.PROCESSES, Promise.NETWORK, Promise.LOOPBACK,
})  # fmt: skip  # one thought, one line
"""Promises that together keep a command from everything but its work folder."""

STRONG = WALLS | {
    Promise.PROCESS_COUNT, Promise.OUTPUT, Promise.TIMEOUT, Promise.DAEMONS, Promise.ORPHANS, Promise.SETUID,
    Promise.NESTED, Promise.TERMINAL,
}  # fmt: skip  # two lines say it as well as ten
"""What `auto` insists on, besides some hold on memory and disk."""

_EITHER = (
    frozenset({Promise.MEMORY, Promise.MEMORY_WATCHED}),
    frozenset({Promise.DISK, Promise.DISK_WATCHED}),
)
_STRONGEST_FIRST = (Backend.BUBBLEWRAP, Backend.DOCKER)

PATIENCE = 20.0
"""Seconds a sandbox may take to try itself, or to clear up after a Lar that was killed."""

RETRY_FIRST, RETRY_MOST = 15.0, 300.0
"""Seconds between two looks where none works: doubling from the first to the most."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A sandbox and what it found when it tried itself."""

    sandbox: Sandbox
    check: Check

    @property
    def missing(self) -> tuple[Promise, ...]:
        """What `auto` insists on and this one does not promise here."""
        kept = self.check.promises
        lacking = STRONG - kept | {max(either) for either in _EITHER if not either & kept}
        return tuple(promise for promise in Promise if promise in lacking)

    @property
    def remedies(self) -> str:
        """What is missing, with the command or setting that gets it; empty where nothing is."""
        return "; ".join(f"{what}: {command}" for what, command in self.check.lacks)

    def objection(self, *, named: bool) -> str:
        """Why commands do not get this one, empty where they do. One that is `named` need only work."""
        if not self.check.works:
            reason = self.check.detail
        elif self.missing and not named:
            reason = f"it does not promise {', '.join(self.missing)} here"
        else:
            return ""
        return f"{self.sandbox.name}: {reason}" + (f" ({self.remedies})" if self.remedies else "")


def backend(name: str, settings: SandboxSettings, *, home: Path | None = None) -> Sandbox:
    """The sandbox of this name, untried. `home` is Lar's own: no command gets it as its work folder."""
    match name:
        case Backend.BUBBLEWRAP:
            return Bubblewrap(home=home)
        case "none" | "basic" | "rlimit" | "cgroup":
            return Local(name, home=home)
        case Backend.DOCKER:
            return Docker(settings.docker, home=home)
        case Backend.JAIL:
            return Jail(settings.jail, home=home)
        case _:
            raise SandboxError(f"there is no sandbox called {name}; {settings.backend}")


def wanted(settings: SandboxSettings) -> tuple[Backend, ...]:
    """The sandboxes that come into question, the one that is looked at first first."""
    return _STRONGEST_FIRST if settings.backend is Backend.AUTO else (settings.backend,)


async def try_out(sandbox: Sandbox) -> Tried:
    """Let it try itself; one that does not answer does not work."""
    try:
        async with asyncio.timeout(PATIENCE):
            return Tried(sandbox, await sandbox.check())
    except TimeoutError:
        return Tried(sandbox, Check(False, f"it does not answer within {PATIENCE:g} s"))
    except (SandboxError, OSError) as error:
        return Tried(sandbox, Check(False, str(error)))


def pick(tried: Iterable[Tried], settings: SandboxSettings) -> Sandbox | None:
    """The sandbox commands get, of those that were tried; None: none of those that come into question will do."""
    named = settings.backend is not Backend.AUTO
    fit = {each.sandbox.name: each.sandbox for each in tried if not each.objection(named=named)}
    return next((fit[name] for name in wanted(settings) if name in fit), None)


def explain(tried: Iterable[Tried], settings: SandboxSettings) -> str:
    """Why there is no sandbox, and what to do."""
    named = settings.backend is not Backend.AUTO
    reasons = [each.objection(named=named) for each in tried if each.sandbox.name in wanted(settings)]
    return f"tools that run commands are off, no sandbox works: {'. '.join(reasons)}. `lar doctor` tells more"


class Chooser:
    """Finds the sandbox of this process, beside everything else, and goes on looking while there is none.

    `report` is told why there is none, and None when there is one.
    """

    def __init__(
        self,
        settings: SandboxSettings,
        report: Callable[[str, str | None], None],
        make: Callable[[str, SandboxSettings], Sandbox] = backend,
    ) -> None:
        self.settings = settings
        self._report = report
        self._make = make
        self._first: asyncio.Task[None] | None = None
        self._sandbox: Sandbox | None = None

    @property
    def sandbox(self) -> Sandbox | None:
        """The sandbox that was found; None: not looked yet, or none will do."""
        return self._sandbox

    async def settled(self) -> None:
        """Return when the first look is over, whatever it found."""
        if self._first is None:
            self._first = asyncio.create_task(self._look())
        await asyncio.wait([self._first])

    async def watch(self) -> None:
        """Look until a sandbox is found."""
        await self.settled()
        pause = RETRY_FIRST
        while self._sandbox is None:
            await asyncio.sleep(pause)
            pause = min(pause * 2, RETRY_MOST)
            await self._look()

    async def close(self) -> None:
        """Look no more."""
        if self._first is not None:
            self._first.cancel()
            await asyncio.wait([self._first])

    async def _look(self) -> None:
        tried: list[Tried] = []
        for name in wanted(self.settings):
            tried.append(await try_out(self._make(name, self.settings)))
            if found := pick(tried, self.settings):
                await self._clear_up(found)
                self._sandbox = found
                log.info("sandbox", backend=found.name, promises=", ".join(sorted(found.promises)))
                self._report(SOURCE, None)
                return
        self._report(SOURCE, explain(tried, self.settings))

    async def _clear_up(self, found: Sandbox) -> None:
        """What a Lar that was killed left behind. Should that fail, commands can run nevertheless."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                try:
                    await found.recover()
                except (SandboxError, OSError) as error:
                    log.warning("leftovers of a killed Lar stay", backend=found.name, error=str(error))
