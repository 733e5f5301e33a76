"""Commands behind a prefix such as `firejail --net=none --quiet`."""

import shutil
from pathlib import Path

from lar.errors import SandboxError
from lar.sandboxes.contract import Check, Promise, Result, Spec
from lar.sandboxes.limits import Local
from lar.sandboxes.limits.sandbox import PATH
from lar.sandboxes.settings import JailSettings


class Jail:
    """The operator's own walls: only the timeout and the cap of output are ours."""

    name = "jail"
    internet = True

    def __init__(self, settings: JailSettings, *, home: Path | None = None) -> None:
        self._prefix = settings.command_prefix
        self._local = Local("none", prefix=self._prefix, home=home)
        self.hands_back = settings.artifacts_allow_in_jail

    @property
    def promises(self) -> frozenset[Promise]:
        """What is kept whatever the prefix is."""
        return self._local.promises

    async def run(self, spec: Spec) -> Result:
        """Run the command behind the prefix."""
        if not self._prefix:
            raise SandboxError("the jail has no walls: set sandbox.jail.command_prefix, or choose another backend")
        return await self._local.run(spec)

    async def check(self) -> Check:
        """Run a small command behind the prefix."""
        if not self._prefix:
            return Check(False, "no command prefix is set", lacks=(("a prefix", "set sandbox.jail.command_prefix"),))
        if not shutil.which(self._prefix[0], path=PATH):
            return Check(
                False,
                f"{self._prefix[0]} is not installed",
                lacks=((self._prefix[0], f"apt install {self._prefix[0]}"),),
            )
        return await self._local.check()

    async def recover(self) -> None:
        """What a jail leaves behind is the jail's."""
