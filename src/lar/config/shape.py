"""The shape of a settings model, as a tree to walk: tables of known keys, maps of free names, lists, values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo


@dataclass(frozen=True, slots=True)
class Table:
    """A model: its keys are known."""

    model: type[BaseModel]


@dataclass(frozen=True, slots=True)
class Map:
    """A table whose keys are names of the owner's choice."""

    value: object


@dataclass(frozen=True, slots=True)
class List:
    """Several values."""


@dataclass(frozen=True, slots=True)
class Value:
    """Text, a number, a truth value."""


Shape = Table | Map | List | Value


def shape_of(annotation: object) -> Shape:
    """What kind of node a type annotation makes."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return shape_of(get_args(annotation)[0])
    if origin in {Union, UnionType}:
        return shape_of(next(member for member in get_args(annotation) if member is not NoneType))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return Table(annotation)
    if origin in {dict, Mapping}:
        return Map(get_args(annotation)[1])
    if origin in {list, tuple, set, frozenset, Sequence}:
        return List()
    return Value()


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the tree. `path` is dotted, with `<name>` for a name of the owner's choice."""

    path: str
    field: FieldInfo


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[Key]:
    """Every key that holds a value, in the order of declaration."""
    for name, field in model.model_fields.items():
        path = f"{prefix}{name}"
        match shape_of(field.annotation):
            case Table(inner):
                yield from keys(inner, f"{path}.")
            case Map(value) if isinstance(inner := shape_of(value), Table):
                yield from keys(inner.model, f"{path}.<name>.")
            case _:
                yield Key(path, field)
