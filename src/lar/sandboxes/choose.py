"""Which sandbox commands get: never a weaker one than was asked for."""

from lar.errors import SandboxError
from lar.sandboxes.bubblewrap import Bubblewrap
from lar.sandboxes.contract import Sandbox
from lar.sandboxes.docker import Docker
from lar.sandboxes.jail import Jail
from lar.sandboxes.limits import Local
from lar.sandboxes.settings import Backend, SandboxSettings


def backend(name: str, settings: SandboxSettings) -> Sandbox:
    """The sandbox of this name, untried."""
    match name:
        case Backend.BUBBLEWRAP:
            return Bubblewrap()
        case "none" | "basic" | "rlimit" | "cgroup":
            return Local(name)
        case Backend.DOCKER:
            return Docker(settings.docker)
        case Backend.JAIL:
            return Jail(settings.jail)
        case _:
            raise SandboxError(f"there is no sandbox called {name}; {settings.backend}")
