"""`lar schedules`: what happens by the clock, and what came of it last."""

from sqlalchemy import Connection

from lar.domain.schedule import Firing, Schedule
from lar.domain.values import JsonObject
from lar.store import schedules

MOST = 1000
"""How many are listed."""


def listing(connection: Connection) -> JsonObject:
    """`schedules` that are active: `id`, `kind`, `name`, `next_due`; of the last firing `fired_at`, `state`, `note`."""
    return {"schedules": [_line(known, last) for known, last in schedules.overview(connection, MOST)]}


def _line(known: Schedule, last: Firing | None) -> JsonObject:
    own = known.key if known.principal_id is None or known.kind == "runbook" else None
    line: JsonObject = {"id": known.id, "kind": known.kind, "name": own or known.text, "next_due": known.next_due}
    if last is None:
        return {**line, "fired_at": None, "state": "", "note": ""}
    return {**line, "fired_at": last.fired_at, "state": last.state, "note": last.note}
