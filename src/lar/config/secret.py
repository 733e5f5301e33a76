"""Which settings are secret: what logs must not show, and what `lar config show` masks."""

import re
from collections.abc import Iterator, Mapping
from typing import cast

from pydantic import BaseModel, SecretStr

MASK = "********"

_NAME = re.compile(r"(^|_)(token|keys?|secrets?|password)$", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*):([^/@\s]+)(?=@)")


def is_secret(name: str) -> bool:
    """Whether a key or a variable of this name holds a secret."""
    return _NAME.search(name) is not None


def secret_values(value: object, name: str = "") -> Iterator[str]:
    """Every secret below a settings model, whatever it is called or typed."""
    match value:
        case SecretStr():
            yield value.get_secret_value()
        case BaseModel():
            for key in type(value).model_fields:
                yield from secret_values(getattr(value, key), key)
        case str() if is_secret(name):
            yield value
        case str():
            yield from (match[2] for match in _URL_PASSWORD.finditer(value))
        case Mapping():
            for key, item in cast("Mapping[object, object]", value).items():
                yield from secret_values(item, name if is_secret(name) else str(key))
        case list() | tuple() | set() | frozenset():
            for item in cast("list[object]", value):
                yield from secret_values(item, name)
        case _:
            return


def masked(value: object, name: str = "") -> object:
    """The same as plain values for TOML or JSON, with every secret masked; None and empty secrets stay visible."""
    if isinstance(value, BaseModel):
        return {key: masked(getattr(value, key), key) for key in type(value).model_fields}
    if isinstance(value, Mapping):
        table = cast("Mapping[object, object]", value)
        return {str(key): masked(item, name if is_secret(name) else str(key)) for key, item in table.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((masked(item, name) for item in cast("set[object]", value)), key=str)
    if isinstance(value, (list, tuple)):
        return [masked(item, name) for item in cast("list[object]", value)]
    plain = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(plain, str):
        return plain
    hidden = plain and (is_secret(name) or plain is not value)
    return MASK if hidden else _URL_PASSWORD.sub(rf"\1:{MASK}", plain)
