"""Who talks to Lar."""

from dataclasses import dataclass
from enum import StrEnum

from lar.domain.ids import PrincipalId


class Role(StrEnum):
    """What a person may do at all. Order of power: admin, user."""

    ADMIN = "admin"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Principal:
    """A person Lar knows, whichever channels they use.

    `name` is what the prompt calls them (a configured alias, else the name the channel gives). `language` is an
    IETF tag as the channel reported it, empty if unknown; `zone` their time zone, an IANA name, empty for the house's.
    """

    id: PrincipalId
    name: str
    role: Role
    language: str = ""
    zone: str = ""

    @property
    def is_admin(self) -> bool:
        """Whether this person may administer Lar."""
        return self.role is Role.ADMIN
