"""The tool that asks the person. The answer is waited for durably: days if need be, without holding anything."""

from typing import Annotated

from pydantic import Field

from lar.domain.risk import Risk
from lar.tools.contract import ToolContext
from lar.tools.define import tool

Option = Annotated[str, Field(min_length=1, max_length=60)]


@tool(risk=Risk.READ, repeatable=True)
async def ask_person(
    context: ToolContext,
    question: Annotated[str, Field(min_length=1, max_length=2000)],
    options: Annotated[tuple[Option, ...], Field(max_length=8)] = (),
) -> str:
    """Ask the person you talk with a question, and wait for the answer. They press a button, or write something else.

    Use it when you cannot go on without a decision of theirs. Do not use it to ask for permission: that is done for
    you where it is needed.

    Args:
        context: Who asks.
        question: The question, complete in itself.
        options: Answers to choose from, each a few words; may be left out.
    """
    answer = await context.desk.choose(context.call, question, options)
    return f"The person answered: {answer}"
