"""What MCP servers say of their tools: the descriptions somebody let in, and those the servers give now."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from sqlalchemy import Connection, bindparam, select

from lar.domain.values import JsonObject
from lar.store import lasting
from lar.store.database import notify
from lar.store.schema import setting

TOPIC = "mcp"
"""What is notified when a server's descriptions or their acceptance change; the payload is its name."""

_ACCEPTED, _SAID, _LEFT = "mcp accepted ", "mcp said ", "mcp left "
_NAMES = select(setting.c.key).where(setting.c.key.startswith(bindparam("prefix"))).order_by(setting.c.key)

Described = Mapping[str, JsonObject]
"""Tool → all that a model or a person is told of it, as JSON."""


@dataclass(frozen=True, slots=True)
class Change:
    """A tool whose description is not the one that was accepted. `before` None: it is new; `now` None: it is gone."""

    tool: str
    before: JsonObject | None
    now: JsonObject | None

    @property
    def digest(self) -> str:
        """Names this very change: who accepts it accepts nothing else."""
        text = json.dumps([self.tool, self.before, self.now], sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def digest_of(changes: Iterable[Change]) -> str:
    """Names these very changes together."""
    return hashlib.sha256(" ".join(change.digest for change in changes).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Pins:
    """A server's tools. `identity` says which server it was that described them (its command or address).

    `left` are the digests of changes that an admin left out.
    """

    identity: str = ""
    accepted: Described = field(default_factory=dict[str, JsonObject])
    said: Described = field(default_factory=dict[str, JsonObject])
    left: frozenset[str] = frozenset()

    @property
    def offered(self) -> Described:
        """The tools that are as they were accepted."""
        return {tool: text for tool, text in self.accepted.items() if self.said.get(tool) == text}

    @property
    def changes(self) -> list[Change]:
        """All that differs, by name."""
        return [
            Change(tool, self.accepted.get(tool), self.said.get(tool))
            for tool in sorted({*self.accepted, *self.said})
            if self.accepted.get(tool) != self.said.get(tool)
        ]

    @property
    def waiting(self) -> list[Change]:
        """New and changed tools about which nobody has decided."""
        return [change for change in self.changes if change.now is not None and change.digest not in self.left]


def servers(connection: Connection) -> list[str]:
    """The servers that ever described their tools."""
    keys = connection.execute(_NAMES, {"prefix": _ACCEPTED}).scalars()
    return [cast("str", key).removeprefix(_ACCEPTED) for key in keys]


def load(connection: Connection, server: str) -> Pins:
    """What is known of a server; nothing, if it never described itself."""
    accepted: JsonObject | None = lasting.load(connection, _ACCEPTED + server)
    if accepted is None:
        return Pins()
    left = frozenset[str](lasting.load(connection, _LEFT + server) or ())
    return Pins(accepted["identity"], accepted["tools"], lasting.load(connection, _SAID + server) or {}, left)


def load_all(connection: Connection, names: Iterable[str]) -> dict[str, Pins]:
    """The same of several servers."""
    return {name: load(connection, name) for name in names}


def describe(connection: Connection, server: str, identity: str, said: Described) -> Pins:
    """Keep what a server says of its tools now. Of a server that was not known as this one before, all is accepted."""
    known = load(connection, server)
    if known.identity != identity:
        known = Pins(identity, said, said)
        _save_accepted(connection, server, known)
    elif known.said == said:
        return known
    lasting.save(connection, _SAID + server, dict(said))
    notify(connection, TOPIC, server)
    return Pins(identity, known.accepted, said, known.left)


def accept(connection: Connection, server: str, digests: frozenset[str]) -> list[Change]:
    """Accept these changes of a server, as they were shown; those that were still open."""
    known = load(connection, server)
    wanted = [change for change in known.changes if change.digest in digests]
    if wanted:
        accepted = dict(known.accepted)
        for change in wanted:
            if change.now is None:
                del accepted[change.tool]
            else:
                accepted[change.tool] = change.now
        _save_accepted(connection, server, Pins(known.identity, accepted, known.said))
        notify(connection, TOPIC, server)
    return wanted


def leave_out(connection: Connection, server: str, digests: frozenset[str]) -> None:
    """Decide that these changes are not offered; of what was left out before, only what still differs is kept."""
    known = load(connection, server)
    differing = {change.digest for change in known.changes}
    lasting.save(connection, _LEFT + server, sorted(differing & (known.left | digests)))
    notify(connection, TOPIC, server)


def _save_accepted(connection: Connection, server: str, pins: Pins) -> None:
    lasting.save(connection, _ACCEPTED + server, {"identity": pins.identity, "tools": dict(pins.accepted)})
