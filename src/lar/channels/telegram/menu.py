"""The command menu as Telegram keeps it: one list per scope and language. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lar.channels.contract import MenuEntry

_FALLBACK = "en"
_LONGEST_DESCRIPTION = 256
_MOST = 100
_COMMAND = re.compile(r"[a-z0-9_]{1,32}")


@dataclass(frozen=True, slots=True)
class Scope:
    """One call of `setMyCommands`. An `optional` one may be refused: an administrator who never wrote to the bot."""

    parameters: Mapping[str, Any]
    optional: bool = False


def scopes(menu: Sequence[MenuEntry], admins: Sequence[str]) -> Iterator[Scope]:
    """The calls that make the menu what it should be, English also for languages we do not speak."""
    for language in sorted({entry.language for entry in menu}):
        entries = [entry for entry in menu if entry.language == language and _COMMAND.fullmatch(entry.command)]
        for code in {_FALLBACK: ("", language)}.get(language, (language,)):
            yield Scope(_call([entry for entry in entries if not entry.admin], code, {"type": "default"}))
            for admin in admins:
                yield Scope(_call(entries, code, {"type": "chat", "chat_id": admin}), optional=True)


def _call(entries: Sequence[MenuEntry], code: str, scope: Mapping[str, str]) -> dict[str, Any]:
    commands = [
        {"command": entry.command, "description": entry.description.strip()[:_LONGEST_DESCRIPTION]}
        for entry in entries[:_MOST]
    ]
    return {"commands": commands, "scope": scope, "language_code": code or None}
