"""JSON as it travels: whatever a client sends is read through these, so that a wrong shape reads as absent."""

import json
from collections.abc import Iterator
from typing import Any, cast

Wire = dict[str, Any]
"""One JSON object."""

Chunk = tuple[bytes, int]
"""A piece of a streamed answer and how many characters of model output it carries (0: framing)."""


def obj(value: Any) -> Wire:
    """`value` if it is a JSON object, else an empty one."""
    return cast("Wire", value) if isinstance(value, dict) else {}


def array(value: Any) -> list[Any]:
    """`value` if it is a JSON array, else an empty one."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def objs(value: Any) -> list[Wire]:
    """The objects of a JSON array; anything else in it is passed over."""
    return [obj(item) for item in array(value) if isinstance(item, dict)]


def string(value: Any) -> str:
    """`value` if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def either(body: Wire, *names: str) -> Any:
    """The first of several spellings that is present and not null (Gemini takes camelCase and snake_case)."""
    return next((body[name] for name in names if body.get(name) is not None), None)


def parsed_arguments(arguments: str) -> Wire:
    """A tool call's argument text as an object; unparsable text reads as no arguments."""
    try:
        value = json.loads(arguments)
    except ValueError:
        return {}
    return obj(value) if isinstance(value, dict) else {"value": value}


def sse(data: Any, event: str = "") -> bytes:
    """One server-sent event; `data` is text or something that JSON can say."""
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)}\n\n".encode()


def pieces(text: str, size: int) -> Iterator[str]:
    """`text` cut into pieces of `size` characters."""
    return (text[at : at + size] for at in range(0, len(text), size))
