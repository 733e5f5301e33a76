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
