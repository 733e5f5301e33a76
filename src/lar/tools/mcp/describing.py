"""From what a server says of a tool to what a model may be told of it. Pure: JSON in, JSON out."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from lar.domain.values import JsonObject

LONGEST_NAME, LONGEST_ORIGINAL = 64, 200
"""Characters of a name: what model providers take, and what a server may call a tool."""

LONGEST_TEXT, LARGEST_SCHEMA, DEEPEST_SCHEMA = 4_000, 30_000, 24
"""A longer description (characters) is cut off; a larger schema (characters of JSON) or a deeper one refused."""

_PARTS = frozenset({"$schema", "$id", "$comment"})
_AT_THE_TOP = frozenset({"oneOf", "anyOf", "allOf", "not", "enum", "if", "then", "else"})
"""Providers refuse these at the top of a schema. The server checks its arguments itself."""

_PROPERTY = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")


class Unusable(ValueError):
    """A tool is described in a way that a model provider would refuse; the message says what is wrong."""


def tool_name(server: str, tool: str) -> str:
    """What a model calls the tool: `server__tool`, with a digest where the name had to be changed to fit."""
    name = f"{server}__{tool}"
    fitting = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    if fitting == name and len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(tool.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{fitting[: LONGEST_NAME - 9]}_{digest}"


def describe(listed: Iterable[Mapping[str, Any]]) -> tuple[dict[str, JsonObject], dict[str, str]]:
    """Tool → its description as it is pinned and offered, and tool → why it cannot be offered."""
    found: dict[str, JsonObject] = {}
    refused: dict[str, str] = {}
    for tool in listed:
        name = str(tool["name"])
        try:
            found[name] = _described(name, tool, twice=name in found)
        except Unusable as error:
            refused[name] = str(error)
    return {name: text for name, text in found.items() if name not in refused}, refused


def _described(name: str, tool: Mapping[str, Any], *, twice: bool) -> JsonObject:
    if not name or len(name) > LONGEST_ORIGINAL or clean(name) != name:
        raise Unusable("no model can be told its name")
    if twice:
        raise Unusable("it is described twice")
    claims = cast("Mapping[str, object]", tool.get("annotations") or {})
    text = clean(str(tool.get("description") or tool.get("title") or ""))
    return {
        "description": text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]} [cut off]",
        "schema": schema(tool.get("inputSchema")),
        "claims": {hint: claims[hint] for hint in _HINTS if isinstance(claims.get(hint), bool)},
    }


def schema(raw: object) -> JsonObject:
    """The schema of a tool's arguments as every provider takes it.

    Raises:
        Unusable: there is no such form of it.

    """
    if not isinstance(raw, dict) or raw.get("type", "object") != "object":  # pyright: ignore[reportUnknownMemberType]  # a dict of JSON
        raise Unusable("its arguments are not a JSON object")
    found = cast("dict[str, Any]", _copied(cast("dict[str, Any]", raw), 0))
    if len(json.dumps(found)) > LARGEST_SCHEMA:
        raise Unusable(f"the schema of its arguments is longer than {LARGEST_SCHEMA} characters")
    properties: object = found.get("properties") or {}
    if not isinstance(properties, dict):
        raise Unusable("its properties are not a JSON object")
    strange = next((name for name in cast("dict[str, Any]", properties) if not _PROPERTY.fullmatch(name)), None)
    if strange is not None:
        raise Unusable(f"no model can write an argument called {strange!r}")
    kept = {name: value for name, value in found.items() if name not in _AT_THE_TOP}
    return {**kept, "type": "object", "properties": properties}


def _copied(value: object, depth: int) -> object:
    if depth > DEEPEST_SCHEMA:
        raise Unusable(f"the schema of its arguments is nested deeper than {DEEPEST_SCHEMA}")
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).items()
        return {clean(name): _copied(item, depth + 1) for name, item in items if name not in _PARTS}
    if isinstance(value, list):
        return [_copied(item, depth + 1) for item in cast("list[object]", value)]
    return clean(value) if isinstance(value, str) else value


def clean(text: str) -> str:
    """The text without characters that nobody sees: what a person accepts is all that a model reads."""
    return "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")
