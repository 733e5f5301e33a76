"""What a tool can do to the world."""

from enum import StrEnum


class Risk(StrEnum):
    """Risk class of a tool, mildest first."""

    READ = "read"
    """Looks at what the person may see anyway."""
    WRITE = "write"
    """Changes the person's own things inside Lar: notes, files, history."""
    REACH = "reach"
    """Sends something outside."""
    EXEC = "exec"
    """Runs code or commands."""
    SPEND = "spend"
    """Costs money beyond the turn's own model calls."""
    ADMIN = "admin"
    """Changes Lar itself or its host."""


class Deed(StrEnum):
    """What one call does, as the gate judges it. A tool's risk class is the worst it can do; one call may be milder."""

    LOOK = "look"
    """Reads what the person may see anyway."""
    KEEP = "keep"
    """Changes the person's own work folder."""
    REMEMBER = "remember"
    """Changes what Lar will know or do later: notes, memory, skills, schedules."""
    OPEN = "open"
    """Opens a public address: a plain GET with which nothing of ours leaves."""
    SUBMIT = "submit"
    """Gives data to a host: a form, an upload, a long query."""
    SEND = "send"
    """Writes to somebody else."""
    RUN = "run"
    """Runs code in a sandbox without network."""
    RUN_OUT = "run_out"
    """Runs code that reaches the network or the host."""
    CONTROL = "control"
    """Works a device: a camera, another machine."""
    SPEND = "spend"
    """Costs money beyond the turn's own model calls."""
    ADMIN = "admin"
    """Changes Lar itself or its host."""


WORST: dict[Risk, Deed] = {
    Risk.READ: Deed.LOOK,
    Risk.WRITE: Deed.KEEP,
    Risk.REACH: Deed.SUBMIT,
    Risk.EXEC: Deed.RUN_OUT,
    Risk.SPEND: Deed.SPEND,
    Risk.ADMIN: Deed.ADMIN,
}
"""What a call of a tool of this class is taken for where the tool does not say."""
