"""Which key of which provider is out, for which model and until when. Kept in the memory of this process."""

from dataclasses import dataclass

from lar.domain.values import Clock
from lar.errors import ThinkingKind

RATE_SECONDS = 60.0
"""How long a key rests that met a limit, unless the provider says how long."""
QUOTA_SECONDS = 3600.0
"""How long a key rests whose quota is used up, at least: what providers say then is often the wait of a busy minute."""
AUTH_SECONDS = 600.0
"""How long a key rests that was refused."""
TIRED_SECONDS = 30.0
"""How long another model is preferred to one whose provider had trouble."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to an answer: a model (`provider:model`) asked with the key of this number, counted from 0."""

    reference: str
    key: int = 0

    @property
    def provider(self) -> str:
        """The provider's name."""
        return self.reference.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Rest:
    """A way that rests, until when (seconds since the epoch). Without a `key`, all keys of the model rest.

    Without a `reference`, all models of the `provider` do.
    """

    provider: str
    reference: str
    key: int | None
    kind: ThinkingKind
    until: float


class Health:
    """What is known of all ways. One that is `out` is not asked at all, a `tired` one only if there is no other."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rests: dict[tuple[str, str, int | None], Rest] = {}
        self._used: dict[str, Way] = {}

    def failed(self, way: Way, kind: ThinkingKind, retry_after: float | None) -> float | None:
        """Note a failure; the seconds until it makes sense to ask again, None if nobody knows."""
        seconds: float | None
        reference, key = way.reference, way.key
        match kind:
            case "rate":
                seconds = RATE_SECONDS if retry_after is None else retry_after
            case "quota":
                seconds = max(QUOTA_SECONDS, retry_after or 0.0)
            case "auth":
                seconds, reference = AUTH_SECONDS, ""
            case "overloaded" | "network" | "timeout":
                seconds, key = max(TIRED_SECONDS, retry_after or 0.0), None
            case _:
                return retry_after
        rest = Rest(way.provider, reference, key, kind, self._clock() + seconds)
        self._rests[rest.provider, rest.reference, rest.key] = rest
        return seconds

    def worked(self, way: Way) -> None:
        """It answered: it is well, and what is used now."""
        self._used[way.reference] = way
        if self._rests:
            for place in _places(way):
                self._rests.pop(place, None)

    def out(self, way: Way) -> Rest | None:
        """Why this way is not to be asked now; None: it may be."""
        return next((rest for rest in self._of(way) if rest.key is not None), None)

    def tired(self, way: Way) -> bool:
        """Whether its provider had trouble a moment ago."""
        return any(rest.key is None for rest in self._of(way))

    def resting(self) -> list[Rest]:
        """Everything that rests now, the soonest to be back first."""
        now = self._clock()
        return sorted((rest for rest in self._rests.values() if rest.until > now), key=lambda rest: rest.until)

    def used(self, reference: str) -> Way | None:
        """The way this model answered last."""
        return self._used.get(reference)

    def seconds_until(self, moment: float) -> float:
        """How far away a moment is."""
        return max(0.0, moment - self._clock())

    def _of(self, way: Way) -> list[Rest]:
        if not self._rests:
            return []
        now = self._clock()
        found = (self._rests.get(place) for place in _places(way))
        return [rest for rest in found if rest is not None and rest.until > now]


def _places(way: Way) -> tuple[tuple[str, str, int | None], ...]:
    provider, reference = way.provider, way.reference
    return (provider, reference, way.key), (provider, "", way.key), (provider, reference, None)
