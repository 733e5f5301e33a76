"""The workspace files: what people write down for Lar, in files of their own. Made if missing, never overwritten."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from lar.domain.memory import Owner
from lar.errors import ToolError
from lar.tools.workspace import Folder, Workspace

log = structlog.get_logger(__name__)

AGENTS, SOUL, USER, MEMORY, HEARTBEAT = "AGENTS.md", "SOUL.md", "USER.md", "MEMORY.md", "HEARTBEAT.md"

TEMPLATES: Mapping[str, str] = {
    AGENTS: "# How Lar works in this house\n\nRules for everybody. Only whoever runs Lar changes this file.\n",
    SOUL: "# Who Lar is\n\nCharacter and tone. Only whoever runs Lar changes this file.\n",
    USER: "# About the person\n\nWho they are, and how they like to be helped.\n",
    MEMORY: "# What to remember\n\nWhat should be known in every conversation.\n",
    HEARTBEAT: "# What to look after\n\nRead only when Lar looks around by itself.\n",
}
"""What the files say at first. A file that still says this is not put into prompts."""

_HOUSE = (AGENTS, SOUL)
_PERSON = (USER, MEMORY, HEARTBEAT)
_GROUP = (MEMORY,)
_BYTES_PER_CHAR = 4


@dataclass(frozen=True, slots=True)
class _Known:
    """A file as it was read: its text, and by what a change is noticed."""

    stamp: tuple[int, int, int]
    text: str


class WorkspaceFiles:
    """Reads the files a turn is given. `most` is how many characters of one are read."""

    def __init__(self, workspace: Workspace, most: int) -> None:
        self._workspace = workspace
        self._most = most
        self._known: dict[Path, _Known] = {}

    def read(self, owner: Owner, *, heartbeat: bool = False) -> list[tuple[str, str]]:
        """Names and texts, from what concerns everybody to what concerns this owner alone; may block.

        `HEARTBEAT.md` is for heartbeat turns only. A file that cannot be read is left out.
        """
        own = self._workspace.own(owner.principal_id, owner.conversation_id)
        names = _PERSON if owner.conversation_id is None else _GROUP
        wanted = [(self._workspace.house(), name) for name in _HOUSE] + [(own, name) for name in names]
        found = [(name, self._text(folder, name)) for folder, name in wanted]
        return [(name, text) for name, text in found if text and (heartbeat or name != HEARTBEAT)]

    def _text(self, folder: Path, name: str) -> str:
        """What a file says, empty where that is nothing of anybody's."""
        path = folder / name
        try:
            status = path.lstat()
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            known = self._known.get(path)
            if known is None or known.stamp != stamp:
                known = self._known[path] = _Known(stamp, self._read(folder, name))
        except FileNotFoundError:
            self._make(folder, name)
            return ""
        except (OSError, ToolError) as error:
            log.warning("a workspace file cannot be read", file=name, error=str(error))
            return ""
        return known.text

    def _read(self, folder: Path, name: str) -> str:
        with Folder(folder) as files, files.read(name) as file:
            text = file.read(self._most * _BYTES_PER_CHAR).decode("utf-8", errors="replace").replace("\0", "").strip()
        return "" if text == TEMPLATES[name].strip() else text[: self._most]

    def _make(self, folder: Path, name: str) -> None:
        try:
            with Folder(folder) as files:
                files.create(name, TEMPLATES[name].encode())
        except ToolError as error:
            log.warning("a workspace file cannot be made", file=name, error=str(error))
