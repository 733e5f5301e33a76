"""What model calls cost, and who pays for them."""

from dataclasses import dataclass

from lar.domain.ids import ConversationId, PrincipalId

_NONE = PrincipalId(0)
_NOWHERE = ConversationId(0)


@dataclass(frozen=True, slots=True)
class Payer:
    """On whose account a model call goes. 0 and "" stand for nobody: Lar itself.

    `schedule` names what set it off where that was no person; `conversation_id` is where it happens.
    """

    principal_id: PrincipalId = _NONE
    agent: str = ""
    schedule: str = ""
    conversation_id: ConversationId = _NOWHERE


NOBODY = Payer()
"""Lar itself."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a call cost, or may cost at most. `estimated`: nobody told, it is reckoned."""

    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0
    estimated: bool = False
