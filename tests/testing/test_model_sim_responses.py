"""The model simulator's OpenAI Responses, by the real client."""

import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from lar.testing.models import ModelSim

TOOLS: Any = [
    {
        "type": "function",
        "name": "get_weather",
        "strict": False,
        "parameters": {"type": "object", "properties": {"q": {"type": "string"}}},
    },
    {"type": "custom", "name": "shell"},
]
ASK_TOOL = '[[tool~:wea.* {"q": "Oslo"}]]'


@pytest.fixture
async def client() -> AsyncIterator[AsyncOpenAI]:
    """The vendor's own client at a simulator of its own."""
    async with ModelSim() as sim, AsyncOpenAI(base_url=sim.openai_url, api_key="k", max_retries=0) as opened:
        yield opened


async def test_remembers_previous_responses(client: AsyncOpenAI) -> None:
    """`previous_response_id` continues the stored conversation; an unknown one is refused."""
    first = await client.responses.create(model="m", input="hello", instructions="sys")
    assert (first.output_text, first.status) == ("echo: hello", "completed")
    assert first.usage is not None
    assert first.usage.total_tokens
    second = await client.responses.create(model="m", input="[[history]]", previous_response_id=first.id)
    assert "3 messages, roles=user,assistant,user" in second.output_text
    with pytest.raises(openai.BadRequestError, match="not found"):
        await client.responses.create(model="m", input="x", previous_response_id="resp_unknown")


async def test_streams_the_documented_events(client: AsyncOpenAI) -> None:
    """The order of events is the provider's, since clients are built on it."""
    kinds: list[str] = []
    text = ""
    async for event in await client.responses.create(model="m", input="streamed hello", stream=True):
        kinds.append(event.type)
        text += event.delta if event.type == "response.output_text.delta" else ""
    assert text == "echo: streamed hello"
    assert [kind for kind, _ in itertools.groupby(kinds)] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]


async def test_calls_tools_and_refuses_dangling_ones(client: AsyncOpenAI) -> None:
    """Reasoning, a streamed call, its result and the refusal of a call without one."""
    async with client.responses.stream(model="m", input=f"{ASK_TOOL} [[think:hmm]]", tools=TOOLS) as streamed:
        async for _ in streamed:
            pass
        final = await streamed.get_final_response()
    assert final.output[0].type == "reasoning"
    (call,) = (item for item in final.output if item.type == "function_call")
    assert json.loads(call.arguments) == {"q": "Oslo"}
    items: Any = [
        {"role": "user", "content": [{"type": "input_text", "text": ASK_TOOL}]},
        call.model_dump(include={"type", "call_id", "name", "arguments"}),
        {"type": "function_call_output", "call_id": call.call_id, "output": "snow"},
    ]
    assert (await client.responses.create(model="m", input=items, tools=TOOLS)).output_text == (
        "tool get_weather said: snow"
    )
    with pytest.raises(openai.BadRequestError, match="No tool output found"):
        await client.responses.create(model="m", input=items[:-1], tools=TOOLS)
    with pytest.raises(openai.BadRequestError, match="No tool call found"):
        await client.responses.create(model="m", input=[items[0], items[2]], tools=TOOLS)


async def test_custom_tools_take_plain_text(client: AsyncOpenAI) -> None:
    """A custom tool's input is text, not JSON."""
    answer = await client.responses.create(model="m", input='[[tool:shell {"input": "ls -l"}]]', tools=TOOLS)
    (call,) = answer.output
    assert call.type == "custom_tool_call"
    assert call.input == "ls -l"


async def test_says_when_it_was_cut_off(client: AsyncOpenAI) -> None:
    """An answer that hit the token limit is incomplete, and says why, and still holds its text."""
    answer = await client.responses.create(model="m", input="[[maxtok]] cut")
    assert answer.status == "incomplete"
    assert answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert answer.output_text == "echo: [[maxtok]] cut"
