"""The tool by which the assistant decides not to reply."""

from lar.domain.risk import Risk
from lar.tools.contract import ToolContext
from lar.tools.define import tool


@tool(risk=Risk.READ, repeatable=True, silences=True)
async def stay_silent(_context: ToolContext, reason: str = "") -> str:
    """End this turn without sending a reply.

    Use it only when an answer would be unwelcome: the message is not meant for you, or needs no reply at all.

    Args:
        reason: Why no reply is needed, for the record.
    """
    return f"No reply will be sent. {reason}".strip()
