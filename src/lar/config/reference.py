"""The configuration reference, and the example file, written from the settings themselves."""

import json
from collections.abc import Iterator
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ByteSize, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from lar.config.shape import Key, List, Map, keys, shape_of
from lar.config.tree import DEFAULT_DATABASE, Settings
from lar.domain import bytesize

_HEAD = """\
# Configuration

Written by `lar config reference` from the settings themselves; a test holds the two together.

One file, `lar.toml` in the home folder (`LAR_HOME`, by default `~/.lar`); `--config` names another. Every key has a
default, so the file may be missing. `lar config check` says what is wrong with it, `lar config show` what is in force.

- **Environment.** Any key can be set as `LAR__SECTION__KEY`, such as `LAR__SERVER__PORT=8000`; it wins over the file.
  Lists are written with commas or as JSON, tables as JSON. `.env` in the home folder is read, too; the process's own
  environment wins over it.
- **Secrets.** `"${NAME}"` in any text is replaced by the variable; `$${` stands for a literal `${`. These are read
  without configuration: `TELEGRAM_BOT_TOKEN`, `OPENAI_API_KEY`, `ANTHROPIC_API_KEY`, `GEMINI_API_KEY`, `GROQ_API_KEY`,
  `OPENROUTER_API_KEY`, `OLLAMA_API_KEY`; each also with `_FALLBACK` (one more key) and `_FALLBACKS` (several,
  with commas).
- **Sizes** are written like `16KB` (16,000 bytes) or `5MiB` (5,242,880 bytes).
- **Unknown keys** are warned about, with the nearest known name. In `policy`, `sandbox` and `budgets` they refuse the
  start: there a misspelt rule would fail open.

`<name>` is a name of your choice. `[agents.main]` answers unless told otherwise; without a `model` it uses one of the
first provider that has a key ([providers](providers.md)), and the built-in offline runtime where none has.
"""

_COMPUTED = {"database.url": DEFAULT_DATABASE}


def reference() -> str:
    """`docs/configuration.md`."""
    lines = [_HEAD]
    for section, its_keys in _sections():
        lines += [f"## [{section}]", "", "| key | type | default | meaning |", "|---|---|---|---|"]
        for key in its_keys:
            name = key.path.rsplit(".", 1)[1]
            default = _default(key)
            shown = f"`{default}`" if default else ""
            lines.append(f"| `{name}` | {type_name(key.field)} | {shown} | {key.field.description} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def example() -> str:
    """`lar.example.toml`: every key with its default, commented out, below what it means."""
    lines = [
        "# Every key Lar knows, with its default. Copy what you change to lar.toml in the home folder (~/.lar).",
        '# Secrets are better written as "${NAME}" and put into the environment or .env.',
    ]
    for section, its_keys in _sections():
        lines += [
            "",
            _header(section),
        ]
        for key in its_keys:
            name = key.path.rsplit(".", 1)[1]
            lines += [f"# {key.field.description}", f"# {name} = {_default(key) or _unset(key.field)}"]
    return "\n".join(lines) + "\n"


_EXAMPLE_NAMES = {
    "providers.<name>": "openai",
    "providers.<name>.routing": "openrouter",
    "budgets.agents.<name>": "main",
    "budgets.schedules.<name>": '"#1"',
    "schedules.hooks.<name>": "ci",
    "schedules.events.<name>": "bins",
    "budgets.prices.<name>": '"openai:my-model"',
    "agents.<name>": "main",
    "agents.<name>.limits": "main",
    "tools.mcp.servers.<name>": "github",
}

_NEVER_EMPTY = frozenset({"tools.mcp.servers.<name>", "schedules.hooks.<name>", "schedules.events.<name>"})
"""Sections that mean nothing without a key: in the example they are commented out."""


def _header(section: str) -> str:
    named = section.replace("<name>", _EXAMPLE_NAMES.get(section, ""))
    return f"# [{named}]" if section in _NEVER_EMPTY else f"[{named}]"


def _sections() -> Iterator[tuple[str, list[Key]]]:
    sections: dict[str, list[Key]] = {}
    for key in keys(Settings):
        sections.setdefault(key.path.rsplit(".", 1)[0], []).append(key)
    yield from sections.items()


def type_name(field: FieldInfo) -> str:
    """What a key takes, in words."""
    if any("parse_bytes" in repr(mark) for mark in field.metadata):
        return "size"
    return _words(field.annotation)


_PLAIN: dict[object, str] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    SecretStr: "secret",
    ByteSize: "size",
    object: "anything",
}


def _words(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return "size" if bytesize.ByteSize == annotation else _words(arguments[0])
    if origin in {Union, UnionType}:
        return _words(next(member for member in arguments if member is not NoneType))
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    match shape_of(annotation):
        case List():
            tables = isinstance(arguments[0], type) and issubclass(arguments[0], BaseModel)
            return f"list of {'tables with ' if tables else ''}{_words(arguments[0])}"
        case Map(value):
            return f"table of {_words(value)}"
        case _:
            return _PLAIN.get(annotation) or ", ".join(f"`{choice}`" for choice in _choices(annotation))


def _choices(annotation: Any) -> Iterator[str]:
    """What a value may be, or the keys of a table in a list."""
    if issubclass(annotation, BaseModel):
        return iter(annotation.model_fields)
    return (choice.value for choice in annotation)


def _default(key: Key) -> str:
    """The default as TOML, empty where there is none."""
    value = _COMPUTED.get(key.path, key.field.get_default(call_default_factory=True, validated_data={}))
    if value is None or value is PydanticUndefined:
        return ""
    if type_name(key.field) == "size":
        return f'"{bytesize.format_bytes(int(value))}"'
    return _toml(value)


def _toml(value: object) -> str:
    match value:
        case SecretStr():
            return '""'
        case Enum():
            return _toml(value.value)
        case BaseModel() | dict():
            return "{}"
        case tuple() | list() | set() | frozenset():
            return "[]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _unset(field: FieldInfo) -> str:
    """What stands for a value that has no default, in a line that is commented out."""
    return {"whole number": "0", "number": "0.0"}.get(type_name(field), '""')
