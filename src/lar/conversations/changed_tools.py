"""MCP servers that describe their tools anew: admins are asked whether the tools are offered as they are now.

What is asked, and what came of it, is kept with the server. Runs inside the transaction of whoever calls.
"""

import json
from collections.abc import Sequence
from difflib import unified_diff
from typing import Literal, TypedDict

from sqlalchemy import Connection

from lar.conversations.admins import Telling
from lar.conversations.strings import say
from lar.domain.delivery import Button, Part
from lar.domain.ids import ConversationId, DeliveryId
from lar.store import deliveries, lasting, mcp
from lar.store.mcp import Change

PRESS = "m:"
"""What the data of a button begins with; behind it `YES` or `NO`, the server's name and the question's."""

YES, NO = "yes", "no"

PART_CHARS, LONGEST = 1800, 20_000
"""Characters of one message, and of all changes that a person is asked to read: more is accepted by `lar mcp` alone."""

MOST_A_DAY = 6
"""Questions about one server a day: one that changes all the time is a problem in `/status`, and no stream of them."""

_DAY = 86400.0
_ASKED = "mcp asked "

State = Literal["open", "accepted", "left", "over"]


class Asked(TypedDict):
    """The newest question about a server: what it is about, where it is shown, and what came of it.

    `id` names these very changes; `by` is who decided; `shown` are the parts with buttons, each with its conversation
    and language. `count` questions were asked since `since` (seconds since the epoch).
    """

    id: str
    digests: list[str]
    state: State
    by: str
    shown: list[tuple[int, int, str]]
    since: float
    count: int


def ask(connection: Connection, telling: Telling, server: str, changes: Sequence[Change], now: float) -> None:
    """Ask about these changes, unless they are asked about already; an older question is over."""
    last, name = asked_about(connection, server), mcp.digest_of(changes)
    if last is not None and last["id"] != name:
        _close(connection, server, last, "over", "", now)
    if not changes or (last is not None and last["id"] == name):
        return
    recent = last is not None and last["since"] > now - _DAY
    since, count = (last["since"], last["count"]) if last is not None and recent else (now, 0)
    chats = telling.chats(connection, now) if count < MOST_A_DAY else []
    if not chats:
        return
    shown: list[tuple[int, int, str]] = []
    for chat, language in chats:
        text, readable = worded(server, changes, language)
        cuts = range(0, len(text), PART_CHARS)
        *first, final = [text[cut : cut + PART_CHARS] for cut in cuts]
        deliveries.add(connection, chat.id, [Part(piece) for piece in first], now)
        part = Part(final, buttons=_buttons(server, name, language, readable=readable))
        shown.append((deliveries.add_one(connection, chat.id, part, now), chat.id, language))
    digests = [change.digest for change in changes]
    asked = Asked(id=name, digests=digests, state="open", by="", shown=shown, since=since, count=count + 1)
    lasting.save(connection, _ASKED + server, asked)


def asked_about(connection: Connection, server: str) -> Asked | None:
    """The newest question about a server."""
    return lasting.load(connection, _ASKED + server)


def worded(server: str, changes: Sequence[Change], language: str) -> tuple[str, bool]:
    """The question in words, with every line that changed; False: that is more than anybody reads, only the names."""
    lines = "\n".join(line for change in changes for line in difference(change))
    if len(lines) <= LONGEST:
        return say(language, "mcp_changed", server=server, changes=lines), True
    names = ", ".join(change.tool for change in changes)[:PART_CHARS]
    return say(language, "mcp_changed_much", server=server, changes=names), False


def difference(change: Change) -> list[str]:
    """What changed, line by line, behind the tool's name."""
    before, now = _lines(change.before), _lines(change.now)
    names = ("accepted" if before else "nothing", "now" if now else "nothing")
    return [f"{change.tool}:", *unified_diff(before, now, *names, lineterm="", n=3)]


def _lines(described: object) -> list[str]:
    return [] if described is None else json.dumps(described, indent=2, ensure_ascii=False, sort_keys=True).splitlines()


def _buttons(server: str, name: str, language: str, *, readable: bool) -> tuple[tuple[Button, ...], ...]:
    accept = (Button(say(language, "button_accept"), f"{PRESS}{YES}:{server}:{name}"),)
    leave = (Button(say(language, "button_leave_out"), f"{PRESS}{NO}:{server}:{name}"),)
    return ((*accept, *leave),) if readable else (leave,)


def decide(connection: Connection, data: str, by: str, language: str, now: float) -> str:
    """Carry out what an admin's button says; what to tell whoever pressed it, empty where the question shows it."""
    answer, server, name = (*data.removeprefix(PRESS).split(":"), "", "")[:3]
    asked = asked_about(connection, server)
    if asked is None or asked["id"] != name or answer not in {YES, NO}:
        return say(language, "mcp_over", server=server) if server else say(language, "press_stale")
    if asked["state"] != "open":
        return say(language, f"mcp_{asked['state']}", server=server, by=asked["by"])
    digests = frozenset(asked["digests"])
    if not digests <= {change.digest for change in mcp.load(connection, server).waiting}:
        _close(connection, server, asked, "over", "", now)
        return say(language, "mcp_over", server=server)
    if answer == YES:
        mcp.accept(connection, server, digests)
    else:
        mcp.leave_out(connection, server, digests)
    _close(connection, server, asked, "accepted" if answer == YES else "left", by, now)
    return ""


def settle(connection: Connection, server: str, by: str, now: float) -> None:
    """Somebody accepted changes elsewhere: a question about nothing else is answered by that."""
    asked = asked_about(connection, server)
    if asked is None:
        return
    waiting = {change.digest for change in mcp.load(connection, server).waiting}
    if waiting.isdisjoint(asked["digests"]):
        _close(connection, server, asked, "accepted", by, now)


def _close(connection: Connection, server: str, asked: Asked, state: State, by: str, now: float) -> None:
    """Keep what came of an open question, and edit its messages."""
    if asked["state"] != "open":
        return
    closed = asked.copy()
    closed["state"], closed["by"] = state, by
    lasting.save(connection, _ASKED + server, closed)
    for part, where, language in asked["shown"]:
        text = say(language, f"mcp_{state}", server=server, by=by)
        deliveries.add(connection, ConversationId(where), [Part(text, edits=DeliveryId(part))], now)
