"""`lar usage`: what model calls cost."""

from dataclasses import asdict

from sqlalchemy import Connection

from lar.domain.ids import PrincipalId
from lar.domain.values import JsonObject
from lar.errors import LarError
from lar.store import budgets, people


def listing(connection: Connection, arguments: JsonObject) -> JsonObject:
    """`lines` of what was spent from `first` to `last` (YYYY-MM-DD): a day, person, agent, schedule and model each."""
    first, last = (str(arguments.get(name, "")) for name in ("first", "last"))
    if not first <= last:
        raise LarError("first and last are days, written YYYY-MM-DD, the earlier one first")
    found = budgets.lines(connection, first, last)
    names = {line.principal_id: _name(connection, line.principal_id) for line in found}
    return {"lines": [{**asdict(line), "person": names[line.principal_id]} for line in found]}


def _name(connection: Connection, number: int) -> str:
    return people.get(connection, PrincipalId(number)).name if number else "Lar"
