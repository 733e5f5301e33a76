"""The tables. Times are seconds since the epoch (UTC) as doubles; ids are given by the database.

The Alembic migrations create exactly this; a test compares the two. Full-text search needs more: see `fulltext`.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=_NAMES)

Id = BigInteger().with_variant(Integer, "sqlite")


def _id() -> Column[int]:
    return Column("id", Id, primary_key=True, autoincrement=True)


def _text(name: str, *, index: bool = False) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="", index=index)


def _number(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default="0")


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=text("false"))


def _amount(name: str) -> Column[float]:
    return Column(name, Double, nullable=False, server_default="0")


def _time(name: str, *, nullable: bool = False) -> Column[float]:
    return Column(name, Double, nullable=nullable)


# ---- engine: jobs in lanes, their journal, and what they wait for

worker = Table(
    "worker",
    metadata,
    _id(),
    _text("name"),
    _time("started_at"),
    # By the database's clock; its jobs are taken over afterwards. Unused on SQLite, where the file's lock is the lease.
    _time("lease_until"),
)

job = Table(
    "job",
    metadata,
    _id(),
    _text("kind"),
    _text("lane"),
    _number("priority"),
    Column("dedup_key", Text, unique=True),
    Column("payload", JSON, nullable=False),
    _text("state"),
    _time("run_at"),
    _number("epoch"),
    _number("failures"),
    _number("crashes"),
    # Who runs it; empty in every other state.
    Column("worker_id", Id),
    _text("error"),
    _time("created_at"),
    _time("started_at", nullable=True),
    _time("ended_at", nullable=True),
    # The hard guarantee: one job of a lane is running or waiting, whatever a worker believes.
    Index(
        "uq_job_active_lane",
        "lane",
        unique=True,
        sqlite_where=text("state IN ('running', 'waiting')"),
        postgresql_where=text("state IN ('running', 'waiting')"),
    ),
    Index("ix_job_state", "state", "run_at"),
    Index("ix_job_lane", "lane", "state"),
    Index("ix_job_ended", "ended_at"),
    # Others remember ids (here, and where it says the same): that of a row which was deleted must not come back.
    sqlite_autoincrement=True,
)

step = Table(
    "step",
    metadata,
    Column("job_id", Id, ForeignKey("job.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("seq", Integer, nullable=False),
    _text("kind"),
    _text("state"),
    Column("input", JSON, nullable=False),
    Column("output", JSON),
    _number("attempts"),
    _time("started_at"),
    _time("ended_at", nullable=True),
)

signal = Table(
    "signal",
    metadata,
    _id(),
    Column("job_id", Id, ForeignKey("job.id", ondelete="CASCADE"), nullable=False, index=True),
    _text("name"),
    Column("payload", JSON, nullable=False),
    # The job's epoch when it was sent: tells `wait` whether the run that is ending could have seen it.
    _number("epoch"),
    _time("created_at"),
    _time("taken_at", nullable=True),
)

# ---- people

principal = Table(
    "principal",
    metadata,
    _id(),
    _text("name"),
    _text("role"),
    _text("language"),
    _time("created_at"),
    # An IANA name; empty: that of the house.
    _text("zone"),
)

identity = Table(
    "identity",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("user", Text, primary_key=True),
    Column("principal_id", Id, ForeignKey("principal.id", ondelete="CASCADE"), nullable=False, index=True),
    # Granted here (pairing, `lar people add`), as opposed to by the configuration.
    _flag("granted"),
)

pairing = Table(
    "pairing",
    metadata,
    Column("code", Text, primary_key=True),
    _text("channel"),
    _text("account"),
    _text("user"),
    _text("chat"),
    _text("name"),
    _time("expires_at"),
)

login = Table(
    "login",
    metadata,
    Column("conversation_id", Id, ForeignKey("conversation.id", ondelete="CASCADE"), primary_key=True),
    Column("principal_id", Id, ForeignKey("principal.id", ondelete="CASCADE"), primary_key=True),
    _time("expires_at"),
)

# ---- conversations

inbound = Table(
    "inbound",
    metadata,
    _id(),
    _text("channel"),
    _text("account"),
    _text("update_id"),
    Column("raw", JSON),
    _text("state"),
    _text("problem"),
    _time("received_at"),
    UniqueConstraint("channel", "account", "update_id"),
    Index("ix_inbound_received_at", "received_at"),
)

conversation = Table(
    "conversation",
    metadata,
    _id(),
    _text("channel"),
    _text("account"),
    _text("chat"),
    _text("thread"),
    _text("place"),
    _text("title"),
    _text("agent"),
    _number("history_after"),
    Column("thread_number", Integer, nullable=False, server_default="1"),
    _flag("gone"),
    _time("created_at"),
    # ro, rw or full; empty: as configured.
    _text("mode"),
    # provider:model; empty: that of the agent.
    _text("model"),
    # Whether answers are spoken; null: as configured.
    Column("voice", Boolean),
    UniqueConstraint("channel", "account", "chat", "thread"),
)

message = Table(
    "message",
    metadata,
    _id(),
    Column("conversation_id", Id, ForeignKey("conversation.id", ondelete="CASCADE"), nullable=False),
    Column("principal_id", Id, ForeignKey("principal.id", ondelete="SET NULL")),
    Column("turn_id", Id, index=True),
    _text("author"),
    _text("text"),
    _text("vendor_id"),
    _text("group_key"),
    Column("attachments", JSON, nullable=False),
    _time("created_at"),
    # Where it came from, if its content is from outside.
    _text("source"),
    Index("ix_message_conversation", "conversation_id", "id"),
    Index("ix_message_window", "conversation_id", "turn_id", "id"),
    sqlite_autoincrement=True,
)

turn = Table(
    "turn",
    metadata,
    _id(),
    Column("conversation_id", Id, ForeignKey("conversation.id", ondelete="CASCADE"), nullable=False),
    Column("principal_id", Id, ForeignKey("principal.id", ondelete="CASCADE"), nullable=False),
    Column("job_id", Id, nullable=False, unique=True),
    _text("state"),
    _text("agent"),
    # What the prompt was made of, fixed by the first attempt: see conversations.context.
    Column("context", JSON),
    Column("usage", JSON, nullable=False),
    _text("error"),
    _time("created_at"),
    _time("started_at", nullable=True),
    _time("ended_at", nullable=True),
    # Where content from outside came from that this turn saw: a list of sources. What it said carries them on.
    Column("taint", JSON),
    Index("ix_turn_conversation", "conversation_id", "id"),
    Index("ix_turn_open", "conversation_id", "state"),
    Index("ix_turn_state", "state"),
    sqlite_autoincrement=True,
)

prompt = Table(
    "prompt",
    metadata,
    Column("digest", Text, primary_key=True),
    _text("text"),
)

# ---- what leaves

delivery = Table(
    "delivery",
    metadata,
    _id(),
    Column("conversation_id", Id, ForeignKey("conversation.id", ondelete="CASCADE"), nullable=False),
    Column("turn_id", Id, index=True),
    Column("part", JSON, nullable=False),
    _text("state"),
    _number("attempts"),
    _flag("resent"),
    _text("vendor_id"),
    _text("error"),
    Column("worker_id", Id),
    _time("not_before"),
    _time("created_at"),
    _time("sent_at", nullable=True),
    Index("ix_delivery_conversation", "conversation_id", "state", "id"),
    Index("ix_delivery_state", "state"),
    Index("ix_delivery_vendor", "conversation_id", "vendor_id"),
    sqlite_autoincrement=True,
)

preview = Table(
    "preview",
    metadata,
    Column("conversation_id", Id, ForeignKey("conversation.id", ondelete="CASCADE"), primary_key=True),
    Column("vendor_id", Text, primary_key=True),
    Column("turn_id", Id, nullable=False),
)

channel_state = Table(
    "channel_state",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", JSON, nullable=False),
)

# ---- memory

note = Table(
    "note",
    metadata,
    _id(),
    Column("principal_id", Id, ForeignKey("principal.id", ondelete="CASCADE"), nullable=False),
    _text("title"),
    _text("text"),
    _time("created_at"),
    _time("updated_at"),
    UniqueConstraint("principal_id", "title"),
)

memory = Table(
    "memory",
    metadata,
    _id(),
    # Whose: "person:1" or "group:1" (a conversation); the ids beside it are there so that it goes with them.
    _text("owner"),
    _text("kind"),
    # What it stands for, so that nothing is summed up twice; NULL for a correction.
    Column("key", Text, unique=True),
    Column("principal_id", Id, ForeignKey("principal.id", ondelete="CASCADE")),
    Column("conversation_id", Id, ForeignKey("conversation.id", ondelete="CASCADE")),
    Column("turn_id", Id),
    # The first message of the exchange, 0 for a summary: what was said before `/new` is not looked at.
    Column("message_id", BigInteger, nullable=False, server_default="0"),
    _number("number"),
    _text("day"),
    # Empty: forgotten.
    _text("text"),
    Column("made_from", JSON, nullable=False),
    Column("taint", JSON),
    _time("until"),
    _flag("corrected"),
    _time("created_at"),
    # When another took its place.
    _time("ended_at", nullable=True),
    Index("ix_memory_owner", "owner", "kind", "ended_at"),
    Index("ix_memory_conversation", "conversation_id", "kind", "turn_id"),
    sqlite_autoincrement=True,
)

# ---- the gate: what a person was asked, what they allowed, and what a turn made

question = Table(
    "question",
    metadata,
    _id(),
    # approval or choice
    _text("kind"),
    _text("state"),
    # The turn that waits, its job, and the tool call that asks.
    Column("turn_id", Id, nullable=False, index=True),
    Column("job_id", Id, nullable=False),
    _text("call"),
    Column("conversation_id", Id, ForeignKey("conversation.id", ondelete="CASCADE"), nullable=False, index=True),
    # Whose turn it is; and whether only an admin may answer.
    Column("principal_id", Id, ForeignKey("principal.id", ondelete="CASCADE"), nullable=False),
    _flag("admins_only"),
    # What would be done (tool, arguments, target, summary, rule, taint), or what may be chosen.
    Column("about", JSON, nullable=False),
    _text("answer"),
    _text("reason"),
    Column("decided_by", Id),
    # What was written instead of pressing a button.
    Column("message_id", Id),
    _time("created_at"),
    _time("expires_at"),
    _time("decided_at", nullable=True),
    UniqueConstraint("turn_id", "call"),
    Index("ix_question_state", "state", "expires_at"),
    sqlite_autoincrement=True,
)

question_delivery = Table(
    "question_delivery",
    metadata,
    # The deliveries that showed it, so that they can be edited to its outcome.
    Column("question_id", Id, ForeignKey("question.id", ondelete="CASCADE"), primary_key=True),
    Column("delivery_id", Id, primary_key=True),
)

permission = Table(
    "permission",
    metadata,
    _id(),
    Column("principal_id", Id, ForeignKey("principal.id", ondelete="CASCADE"), nullable=False),
    # NULL: everywhere.
    Column("conversation_id", Id, ForeignKey("conversation.id", ondelete="CASCADE")),
    _text("tool"),
    _text("target"),
    Column("granted_by", Id),
    _time("created_at"),
    Index("ix_permission_principal", "principal_id", "tool"),
)

artifact = Table(
    "artifact",
    metadata,
    _id(),
    Column("principal_id", Id, ForeignKey("principal.id", ondelete="CASCADE"), nullable=False),
    Column("conversation_id", Id, nullable=False),
    Column("turn_id", Id, nullable=False),
    _text("path"),
    _text("name"),
    _text("mime"),
    Column("size", BigInteger, nullable=False, server_default="0"),
    _time("created_at"),
    UniqueConstraint("path"),
    Index("ix_artifact_principal", "principal_id", "id"),
)

# ---- what holds for all of this Lar: the emergency stop, the notification chat, the tools a server described

setting = Table(
    "setting",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", JSON, nullable=False),
)

# ---- what model calls cost; 0 and "" stand for nobody

spend = Table(
    "spend",
    metadata,
    # YYYY-MM-DD, where the owner lives.
    Column("day", Text, primary_key=True),
    Column("principal_id", Id, primary_key=True),
    Column("agent", Text, primary_key=True),
    Column("schedule", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    _number("calls"),
    Column("input_tokens", BigInteger, nullable=False, server_default="0"),
    Column("output_tokens", BigInteger, nullable=False, server_default="0"),
    _amount("usd"),
    # How much of it nobody told: of calls that broke, or were under way in a crash.
    _amount("estimated_usd"),
)

reservation = Table(
    "reservation",
    metadata,
    # A call that is under way, with the most it may cost.
    _id(),
    _text("day"),
    Column("principal_id", Id, nullable=False),
    _text("agent"),
    _text("schedule"),
    _text("model"),
    _number("input_tokens"),
    _number("output_tokens"),
    _amount("usd"),
    _time("created_at"),
    sqlite_autoincrement=True,
)

# ---- when something is to happen

schedule = Table(
    "schedule",
    metadata,
    _id(),
    # reminder, prompt, runbook, event or task
    _text("kind"),
    _text("text"),
    Column("timing", JSON, nullable=False),
    # Whose it is and where it happens; both empty for a task.
    Column("principal_id", Id, ForeignKey("principal.id", ondelete="CASCADE")),
    Column("conversation_id", Id, ForeignKey("conversation.id", ondelete="CASCADE")),
    # What must not be made twice.
    Column("key", Text, unique=True),
    _text("state"),
    # Empty: never again.
    _time("next_due", nullable=True),
    # How often it is due at most from now on; empty: without end.
    Column("left", Integer),
    _amount("jitter"),
    _text("missed"),
    _number("missed_count"),
    _time("missed_at", nullable=True),
    _number("fired"),
    # Content from outside that was in sight when it was made: a list of sources.
    Column("taint", JSON),
    Column("options", JSON, nullable=False),
    _time("created_at"),
    Index("ix_schedule_next_due", "next_due"),
    Index("ix_schedule_principal", "principal_id", "state"),
    sqlite_autoincrement=True,
)

firing = Table(
    "firing",
    metadata,
    _id(),
    Column("schedule_id", Id, ForeignKey("schedule.id", ondelete="CASCADE"), nullable=False),
    _time("due_at"),
    _text("state"),
    # It begins after its time; and how many more it makes up for.
    _flag("late"),
    _number("missed"),
    # The job that carries it out, and the turn it caused.
    Column("job_id", Id),
    Column("turn_id", Id, index=True),
    _text("note"),
    # Which of its buttons was pressed.
    _text("answered"),
    _time("fired_at"),
    _time("ended_at", nullable=True),
    # The hard guarantee: once, whoever fires.
    UniqueConstraint("schedule_id", "due_at"),
    Index("ix_firing_fired_at", "fired_at"),
    sqlite_autoincrement=True,
)

event = Table(
    "event",
    metadata,
    # Something happened that a heartbeat looks at.
    _id(),
    _text("kind"),
    _text("text"),
    # What must not be told twice.
    Column("key", Text, unique=True),
    # Whom it concerns; empty: the owner.
    Column("principal_id", Id, ForeignKey("principal.id", ondelete="CASCADE")),
    # Where it came from, if its content is from outside.
    _text("source"),
    _time("created_at"),
    # The turn that took it.
    Column("turn_id", Id),
    _time("taken_at", nullable=True),
    Index("ix_event_taken_at", "taken_at"),
    sqlite_autoincrement=True,
)
