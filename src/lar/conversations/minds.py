"""`/model`, and what `/status` says of models: which are configured, which is in use, which rest until when."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from difflib import get_close_matches

from lar.conversations.strings import duration, say
from lar.domain.conversation import Conversation, Place
from lar.domain.principal import Principal
from lar.providers.health import Health, Way

DEFAULT = "default"
"""What `/model` calls the agent's own model."""


def _no_keys(_reference: str) -> tuple[str, ...]:
    return ("",)


@dataclass(frozen=True, slots=True)
class Minds:
    """What commands may tell about models.

    `known` are the configured models (`provider:model`), `of_agent` the model of each agent, empty where it thinks
    without. `endings` gives the last characters of each key of a model. Times of day are told in `zone`.
    """

    known: tuple[str, ...] = ()
    of_agent: Mapping[str, str] = field(default_factory=dict[str, str])
    health: Health | None = None
    endings: Callable[[str], tuple[str, ...]] = _no_keys
    zone: tzinfo | None = None

    def in_use(self, agent: str, conversation: Conversation) -> str:
        """The model that answers here unless it fails."""
        return conversation.model if conversation.model in self.known else self.of_agent.get(agent, "")

    def key(self, way: Way) -> str:
        """A key as it is shown: its number, and its last characters; never more of it."""
        endings = self.endings(way.reference)
        ending = endings[way.key] if way.key < len(endings) else ""
        return f"{way.key + 1}/{len(endings)}" + (f" (…{ending})" if ending else "")

    def lines(self, model: str, language: str) -> list[str]:
        """What `/status` says: the model, the key it answered with last, and what rests until when."""
        if not model:
            return []
        used = self.health.used(model) if self.health else None
        key = say(language, "status_key", which=self.key(used)) if used else ""
        return [say(language, "status_model", model=model, used=key), *self.resting(language)]

    def resting(self, language: str) -> list[str]:
        """What rests, a line each."""
        health = self.health
        if health is None:
            return []
        lines: list[str] = []
        for rest in health.resting():
            way = Way(rest.reference or f"{rest.provider}:", rest.key or 0)
            left = duration(language, health.seconds_until(rest.until))
            at = datetime.fromtimestamp(rest.until, self.zone).strftime("%H:%M")
            key = say(language, "status_key", which=self.key(way)) if rest.key is not None else ""
            what = rest.reference or rest.provider
            lines.append(say(language, "status_resting", what=what, used=key, kind=rest.kind, at=at, left=left))
        return lines

    def found(self, wanted: str) -> str:
        """The model that is meant: written whole, or by its name alone where only one has it; else empty."""
        lowered = wanted.lower()
        whole = [model for model in self.known if model.lower() == lowered]
        named = whole or [model for model in self.known if model.lower().partition(":")[2] == lowered]
        return named[0] if len(named) == 1 else ""

    def nearest(self, wanted: str) -> list[str]:
        """Models whose names are like this one."""
        names = {model.lower(): model for model in self.known}
        short = {model.partition(":")[2]: whole for model, whole in names.items()}
        close = [
            *get_close_matches(wanted.lower(), names, 3, 0.4),
            *get_close_matches(wanted.lower(), short, 3, 0.4),
        ]
        return list(dict.fromkeys((names | short)[name] for name in close))[:3]


def may_choose(conversation: Conversation, who: Principal) -> bool:
    """Whose choice the model of a conversation is: in a private chat everybody's own, in a group an admin's."""
    return who.is_admin or conversation.place is Place.PRIVATE
