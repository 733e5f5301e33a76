"""Bring what was read into the shape of the settings: known keys only, variables replaced, text turned into tables."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import cast

from pydantic import BaseModel

from lar.config.shape import List, Map, Shape, Table, Value, keys, shape_of
from lar.config.sources import Override, substitute
from lar.errors import ConfigError

Path = tuple[str, ...]
Tree = dict[str, object]


def apply_override(tree: Tree, override: Override) -> Path:
    """Set what a variable of the environment sets; the path it went to, in the spelling the file uses."""
    node = tree
    path: list[str] = []
    for position, part in enumerate(override.path):
        name = next((known for known in node if known.lower().replace("-", "_") == part), part)
        path.append(name)
        if position == len(override.path) - 1:
            node[name] = _merged(node.get(name), override.text)
        else:
            inner = node.get(name)
            if not isinstance(inner, dict):
                inner = node[name] = Tree()
            node = cast("Tree", inner)
    return tuple(path)


def _merged(below: object, text: str) -> object:
    """A table written as JSON is laid over the table that is there; everything else replaces it."""
    if not (isinstance(below, dict) and text.lstrip().startswith("{")):
        return text
    try:
        above = json.loads(text)
    except ValueError:
        return text
    return _over(cast("Tree", below), cast("Tree", above))


def _over(below: Tree, above: Tree) -> Tree:
    result = dict(below)
    for name, value in above.items():
        there = result.get(name)
        both = isinstance(there, dict) and isinstance(value, dict)
        result[name] = _over(cast("Tree", there), cast("Tree", value)) if both else value
    return result


@dataclass(slots=True)
class Conformer:
    """Walks the tree along the model. `warnings` and `refusals` are sentences about keys nobody knows."""

    model: type[BaseModel]
    variables: Mapping[str, str]
    origins: Mapping[Path, str]
    strict: frozenset[str]
    warnings: list[str] = field(default_factory=list[str])
    refusals: list[str] = field(default_factory=list[str])

    def conform(self, tree: Tree) -> Tree:
        """The tree without unknown keys, ready for the model."""
        return cast("Tree", self._node(tree, Table(self.model), ()))

    def named(self, path: Path) -> str:
        """The key as people write it, and the variable that set it."""
        above = [self.origins[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.origins]
        below = [name for origin, name in self.origins.items() if origin[: len(path)] == path]
        variable = next(iter((*above, *below)), "")
        return ".".join(path) + (f" (set by {variable})" if variable else "")

    def _node(self, value: object, shape: Shape, path: Path) -> object:
        if isinstance(value, str):
            value = self._text(value, shape, path)
        match shape:
            case Table(model) if isinstance(value, dict):
                return self._table(cast("Tree", value), model, path)
            case Map(inner) if isinstance(value, dict):
                table = cast("Tree", value)
                return {name: self._node(item, shape_of(inner), (*path, name)) for name, item in table.items()}
            case List():
                items = cast("list[object]", value) if isinstance(value, list) else [value]
                return [self._node(item, Value(), path) for item in items]
            case _:
                return value

    def _text(self, text: str, shape: Shape, path: Path) -> object:
        """What a text stands for where a table or a list is wanted: JSON, or a list with commas."""
        opening = "[" if isinstance(shape, List) else "{"
        if not isinstance(shape, Value) and text.lstrip().startswith(opening):
            try:
                return json.loads(text)
            except ValueError as error:
                raise ConfigError(f"{self.named(path)} is not valid JSON: {error}") from None
        text = substitute(text, self.named(path), self.variables)
        if isinstance(shape, List):
            return [item for part in text.split(",") if (item := part.strip())]
        return text

    def _table(self, table: Tree, model: type[BaseModel], path: Path) -> Tree:
        known: Tree = {}
        for name, value in table.items():
            if name in model.model_fields:
                known[name] = self._node(value, shape_of(model.model_fields[name].annotation), (*path, name))
            else:
                self._unknown((*path, name), model)
        return known

    def _unknown(self, path: Path, model: type[BaseModel]) -> None:
        nearest = nearest_key(path, model, self.model)
        hint = f"; did you mean {nearest}?" if nearest else ""
        sentence = f"{self.named(path)} is not a key Lar knows"
        if path[0] in self.strict:
            reason = f"in [{path[0]}] a misspelt rule would fail open, so correct or remove it"
            self.refusals.append(f"{sentence}, and {reason}{hint}")
        else:
            self.warnings.append(f"{sentence}, and is ignored{hint}")


def nearest_key(path: Path, siblings: type[BaseModel], root: type[BaseModel]) -> str:
    """The key that was probably meant: a similar one of the same table, else one of the same name elsewhere."""
    close = get_close_matches(path[-1].lower(), siblings.model_fields, 1)
    if close:
        return ".".join((*path[:-1], close[0]))
    everywhere = {key.path.rsplit(".", 1)[-1]: key.path for key in keys(root)}
    tables = {part: key.path[: key.path.index(part) + len(part)] for key in keys(root) for part in key.path.split(".")}
    close = get_close_matches(path[-1].lower(), [*everywhere, *tables], 1, 0.75)
    return (everywhere | tables)[close[0]] if close else ""
