"""What queued itself again and again is a schedule now; a night of memory that is still to come, comes."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_OPEN = ("queued", "running", "waiting")
_COLUMNS: tuple[sa.ColumnClause[object], ...] = tuple(map(sa.column, ("kind", "lane", "state", "run_at")))
_JOB = sa.table("job", *_COLUMNS)
_SCHEDULE = sa.table(
    "schedule",
    *map(sa.column, ("kind", "text", "key", "state", "next_due", "missed", "created_at")),
    sa.column("timing", sa.JSON()),
    sa.column("options", sa.JSON()),
)
_TASKS = (("memory_time:daily", "memory_day", "all"), ("memory_time:weekly", "memory_week", "once"))


def upgrade() -> None:
    """Forward only: the way back is the backup."""
    connection = op.get_bind()
    for lane, name, missed in _TASKS:
        of = sa.select(sa.func.min(_JOB.c.run_at)).where(_JOB.c.lane == lane, _JOB.c.state.in_(_OPEN))
        due = connection.execute(of).scalar()
        if due is not None:
            connection.execute(sa.insert(_SCHEDULE).values(_schedule(name, missed, due)))
    queued = sa.and_(_JOB.c.kind.in_(("housekeeping", "memory_time")), _JOB.c.state.in_(_OPEN))
    connection.execute(sa.delete(_JOB).where(queued))


def _schedule(name: str, missed: str, due: object) -> dict[str, object]:
    """A task that was due then; the next start gives it the time that is configured."""
    return {
        "kind": "task",
        "text": name,
        "key": f"task:{name}",
        "state": "active",
        "next_due": due,
        "missed": missed,
        "created_at": due,
        "timing": {"at": due, "zone": "", "until": None, "quiet": None},
        "options": {},
    }
