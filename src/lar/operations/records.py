"""The record of a turn: for reading as a timeline, and for keeping as JSON."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from lar import __version__
from lar.domain.values import JsonObject
from lar.errors import LarError

SCHEMA = 1
"""Version of the exported JSON; it rises when a reader of the old one would misread the new one."""

SHOWN = 2000
"""Characters of a text the timeline shows."""

Plain = Mapping[str, Any]


def export(record: JsonObject) -> JsonObject:
    """The record as it is written to a file: plain JSON values, and who wrote it."""
    return {"schema": SCHEMA, "lar": __version__, **record}


def check(record: object) -> JsonObject:
    """An exported record that this version can read.

    Raises:
        LarError: it is none.

    """
    if not isinstance(record, dict) or "schema" not in record:
        raise LarError("this is no turn as `lar turn export` writes it")
    found = cast("dict[str, object]", record)
    if found["schema"] != SCHEMA:
        raise LarError(f"the record has schema {found['schema']}, this Lar reads schema {SCHEMA}: export it again")
    return found


def timeline(record: JsonObject) -> str:
    """The record for people: who said what, every effect with its input and output, what was delivered; in order.

    Times are UTC; `+` counts seconds since the turn was made.
    """
    turn = cast("Plain", record["turn"])
    start = float(turn["created_at"])
    lines = list(_head(record, turn))
    for at, entry in sorted(_entries(record), key=lambda item: item[0]):
        lines += [f"{at - start:+9.3f}s  {line}" if n == 0 else f"{'':12}{line}" for n, line in enumerate(entry)]
    return "\n".join(lines)


def _head(record: JsonObject, turn: Plain) -> Iterator[str]:
    where, who = cast("Plain", record["conversation"] or {}), cast("Plain", record["principal"] or {})
    made = datetime.fromtimestamp(turn["created_at"], UTC).strftime("%Y-%m-%d %H:%M:%S")
    took = f", {turn['ended_at'] - turn['created_at']:.3f} s" if turn["ended_at"] else ""
    yield f"turn {turn['id']}: {turn['state']} ({made} UTC{took})"
    yield f"conversation {where.get('id')} ({where.get('channel')}:{where.get('chat')}), with {who.get('name')}"
    usage = cast("Plain", turn["usage"])
    price = "unknown" if usage.get("usd") is None else f"${usage['usd']:.4f}"
    yield (
        f"agent {turn['agent'] or 'main'}: {usage.get('model_calls', 0)} model calls, "
        f"{usage.get('tool_calls', 0)} tool calls, "
        f"{usage.get('input_tokens', 0)} + {usage.get('output_tokens', 0)} tokens, {price}"
    )
    history = len(cast("list[Plain]", record["history"]))
    yield f"prompt: {len(record['system'])} characters of system prompt, {history} messages of history"
    if turn["error"]:
        yield f"error: {turn['error']}"
    yield ""


Entry = tuple[float, list[str]]


def _entries(record: JsonObject) -> Iterator[Entry]:
    turn = cast("Plain", record["turn"])
    for message in cast("list[Plain]", record["messages"]):
        yield message["created_at"], [f"{message['author']}: ", *_indented(message["text"])]
    if turn["started_at"]:
        yield turn["started_at"], ["the turn starts"]
    for step in cast("list[Plain]", record["steps"]):
        yield from _step(step)
    for part in cast("list[Plain]", record["deliveries"]):
        sent = f" as {part['vendor_id']}" if part["vendor_id"] else ""
        again = ", sent again: the receipt of an earlier try was lost" if part["resent"] else ""
        why = f": {part['error']}" if part["error"] else ""
        yield part["sent_at"] or part["created_at"], [f"delivery {part['id']} {part['state']}{sent}{again}{why}"]
    if turn["ended_at"]:
        yield turn["ended_at"], [f"the turn is {turn['state']}"]


def _step(step: Plain) -> Iterator[Entry]:
    tries = f", {step['attempts']} attempts" if step["attempts"] > 1 else ""
    yield step["started_at"], [f"{step['kind']} {step['key']} starts{tries}", *_indented(_json(step["input"]))]
    if step["state"] == "started":
        return
    ended = step["ended_at"] or step["started_at"]
    result = _indented(_json(step["output"])) if step["output"] is not None else []
    yield ended, [f"{step['kind']} {step['key']} is {step['state']} ({ended - step['started_at']:.3f} s)", *result]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _indented(text: str) -> list[str]:
    shown = text if len(text) <= SHOWN else f"{text[:SHOWN]} … ({len(text) - SHOWN} more characters)"
    return [f"  {line}" for line in shown.splitlines()]
