"""What a browser needs of this machine: its program, the library that drives it, and walls."""

import shutil
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from lar.errors import MissingComponent
from lar.tools.browser.settings import BrowserSettings

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NO_SANDBOX = "--no-sandbox"
"""The argument that switches Chromium's own sandbox off; as root or in a container it may not start otherwise."""

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SYSTEM, _OF_ETC = Path("/usr"), Path("/etc/chromium.d")


@dataclass(frozen=True, slots=True)
class Found:
    """Where things are. `site` is the folder the library is in; `readable` are folders to be seen behind walls."""

    executable: str
    interpreter: str
    site: Path
    readable: tuple[Path, ...]


def find(settings: BrowserSettings, path: str = _PATH) -> Found:
    """What there is. Looks at names only: nothing is imported or started.

    Raises:
        MissingComponent: something is missing; the text names the command that installs it.

    """
    spec = find_spec("playwright")
    if spec is None or spec.origin is None:
        raise MissingComponent("the playwright library is missing: pip install 'lar[browser]'")
    if settings.browser != "chromium" and settings.sandbox != "bubblewrap":
        raise MissingComponent(f"only bubblewrap keeps {settings.browser} in: set tools.browser.sandbox to bubblewrap")
    names = tuple(filter(None, (settings.executable_path or settings.launch_channel,)))
    wanted = names or (PROGRAMS if settings.browser == "chromium" else ())
    executable = next(filter(None, (shutil.which(name, path=path) for name in wanted)), "")
    if not executable:
        if names or not wanted:
            named = names[0] if names else settings.browser
            raise MissingComponent(f"there is no browser {named}: correct tools.browser.executable_path")
        raise MissingComponent("no Chromium is installed: apt install chromium")
    if settings.sandbox == "bubblewrap" and not shutil.which("bwrap", path=path):
        raise MissingComponent("bubblewrap is missing, which walls the browser in: apt install bubblewrap")
    base = Path(sys.base_prefix).resolve()
    folders = [base, Path(executable).resolve().parent, *([_OF_ETC] if _OF_ETC.is_dir() else [])]
    seen = tuple(folder for folder in folders if _SYSTEM not in (folder, *folder.parents))
    interpreter = str(Path(sys.executable).resolve())
    return Found(executable, interpreter, Path(spec.origin).parents[1], seen)
