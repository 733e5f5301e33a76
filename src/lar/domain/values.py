"""Plain values shared by all records: JSON, and the clock."""

from collections.abc import Callable, Mapping
from typing import Any

JsonObject = Mapping[str, Any]
"""A JSON object, read-only: keys are strings, values whatever JSON can hold."""

Clock = Callable[[], float]
"""Wall time: seconds since the epoch, UTC. Handed in, so that tests own it."""
