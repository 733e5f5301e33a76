"""The model simulator's OpenAI Chat Completions, embeddings and audio, by the real client."""

import asyncio
import base64
import json
import time
import wave
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any, cast

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletion

from lar.testing.models import ModelSim
from lar.testing.models.exchange import HUNG_UP
from lar.testing.models.samples import ogg_opus_bytes, png_bytes

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "d",
        "parameters": {"type": "object", "properties": {"q": {"type": "string"}}},
    },
}
ASK_TOOL = '[[tool~:wea.* {"q": "Oslo"}]]'


@pytest.fixture
async def models() -> AsyncIterator[ModelSim]:
    """The simulator, listening."""
    async with ModelSim() as sim:
        yield sim


@pytest.fixture
async def client(models: ModelSim) -> AsyncIterator[AsyncOpenAI]:
    """The vendor's own client, without its retries."""
    async with AsyncOpenAI(base_url=models.openai_url, api_key="sk-test-abcd", max_retries=0) as opened:
        yield opened


def history(text: str) -> Any:
    """A system prompt and one user message."""
    return [{"role": "system", "content": "be good"}, {"role": "user", "content": text}]


async def complete(client: AsyncOpenAI, text: str, **more: Any) -> ChatCompletion:
    """One whole answer to one text."""
    create: Any = client.chat.completions.create
    return cast("ChatCompletion", await create(model="m", messages=history(text), **more))


async def say(client: AsyncOpenAI, text: str, **more: Any) -> str:
    """The text of the answer to one text."""
    return (await complete(client, text, **more)).choices[0].message.content or ""


async def calls(client: AsyncOpenAI, text: str, **more: Any) -> list[Any]:
    """The tool calls in the answer to one text."""
    answer = await complete(client, text, tools=[WEATHER], **more)
    return list(answer.choices[0].message.tool_calls or [])


async def stream(client: AsyncOpenAI, text: str) -> tuple[str, int]:
    """The streamed text and the completion tokens that the last chunk counts."""
    got, tokens = "", 0
    options: Any = {"include_usage": True}
    chunks = await client.chat.completions.create(
        model="m", messages=history(text), stream=True, stream_options=options
    )
    async for chunk in chunks:
        got += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        tokens = chunk.usage.completion_tokens if chunk.usage else tokens
    return got, tokens


async def test_echoes_whole_and_streamed(client: AsyncOpenAI) -> None:
    """Without a directive the answer is the user's own text, with usage and a finish reason."""
    answer = await complete(client, "hello")
    assert answer.choices[0].message.content == "echo: hello"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens
    text, tokens = await stream(client, "[[len:500]]")
    assert (len(text), tokens) == (500, 126)


async def test_calls_a_tool_and_reads_its_result(client: AsyncOpenAI) -> None:
    """The tool round trip works as with the provider, whole and streamed."""
    (call,) = await calls(client, ASK_TOOL)
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"q": "Oslo"})
    tools: Any = [WEATHER]
    async with client.chat.completions.stream(model="m", messages=history(ASK_TOOL), tools=tools) as streamed:
        final = await streamed.get_final_completion()
    assert [made.function.name for made in final.choices[0].message.tool_calls or []] == ["get_weather"]
    asked = {"role": "assistant", "tool_calls": [call.model_dump(include={"id", "type", "function"})]}
    told = {"role": "tool", "tool_call_id": call.id, "content": "rainy"}
    messages: Any = [*history(ASK_TOOL), asked, told]
    after = await client.chat.completions.create(model="m", messages=messages, tools=tools)
    assert after.choices[0].message.content == "tool get_weather said: rainy"


@pytest.mark.parametrize(
    ("messages", "tools", "complaint"),
    [
        ([], [], "empty array"),
        ([{"role": "tool", "tool_call_id": "x", "content": "r"}], [], "must be a response to a preceeding message"),
        (
            [{"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f"}}]}],
            [],
            "must be followed by tool messages",
        ),
        (
            [{"role": "user", "content": "x"}],
            [{"type": "function", "function": {"name": "no spaces allowed"}}],
            "Invalid tool name",
        ),
        (
            [{"role": "user", "content": "x"}],
            [{"type": "function", "function": {"name": f"t{n}"}} for n in range(129)],
            "array too long",
        ),
    ],
)
async def test_refuses_what_the_provider_refuses(
    client: AsyncOpenAI, messages: Any, tools: Any, complaint: str
) -> None:
    """A history that only a lenient double takes would break in front of a person."""
    with pytest.raises(openai.BadRequestError, match=complaint):
        await client.chat.completions.create(model="m", messages=messages, tools=tools)


async def test_lenient_takes_what_strict_refuses(client: AsyncOpenAI, models: ModelSim) -> None:
    """Strictness is an option, for servers that are less strict than OpenAI."""
    models.options["strict"] = False
    told: Any = {"role": "tool", "tool_call_id": "x", "content": "r"}
    assert await client.chat.completions.create(model="m", messages=[told])


async def test_shows_what_it_was_given(client: AsyncOpenAI) -> None:
    """Tests read from the answer which tools, system prompt, history and media reached the model."""
    assert await say(client, "[[tools]]", tools=[WEATHER]) == "tools (1): get_weather"
    assert "be good" in await say(client, "[[system]]")
    assert "roles=user" in await say(client, "[[history]]")
    assert "```" in await say(client, "[[md]]")
    url = "data:image/png;base64," + base64.b64encode(png_bytes()).decode()
    content: Any = [{"type": "text", "text": "[[image?]]"}, {"type": "image_url", "image_url": {"url": url}}]
    answer = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": content}])
    shown = f"media: 1 in this message, 1 in all; image image/png {len(png_bytes())}B"
    assert answer.choices[0].message.content == shown


async def test_fails_as_often_as_told(client: AsyncOpenAI, models: ModelSim) -> None:
    """Provider failures come once per text, a number of times, or for one key only."""
    with pytest.raises(openai.RateLimitError, match="Rate limit"):
        await say(client, "[[status:429]]")
    assert (await say(client, "[[status:429]]")).startswith("echo")
    for _ in range(2):
        with pytest.raises(openai.InternalServerError):
            await say(client, "[[status:500 x2]]")
    assert await say(client, "[[status:500 x2]]")
    for _ in range(2):
        with pytest.raises(openai.RateLimitError) as refused:
            await say(client, "[[status:quota key]]")
        assert refused.value.code == "insufficient_quota"
    async with AsyncOpenAI(base_url=models.openai_url, api_key="sk-other-wxyz", max_retries=0) as other:
        assert await say(other, "[[status:quota key]]")


async def test_bad_arguments_loops_and_parallel_calls(client: AsyncOpenAI) -> None:
    """A model's worst habits can be ordered: broken JSON, endless calls, several calls at once."""
    (bad,) = await calls(client, "[[badjson:get_weather]]")
    with pytest.raises(json.JSONDecodeError):
        json.loads(bad.function.arguments)
    assert await calls(client, "[[loop:get_weather {}]]")
    both = await calls(client, '[[par]] [[tool:get_weather {"q":"a"}]] [[tool:get_weather {"q":"b"}]]')
    assert [json.loads(call.function.arguments)["q"] for call in both] == ["a", "b"]
    assert "nothing not offered" in await say(client, "[[tool:nothing {}]]")


async def test_forced_tools_and_structured_answers(client: AsyncOpenAI) -> None:
    """What a request demands of the answer's shape is kept."""
    choice: Any = {"type": "function", "function": {"name": "get_weather"}}
    (forced,) = await calls(client, "x", tool_choice=choice)
    assert json.loads(forced.function.arguments) == {"q": "x"}
    schema = {"name": "s", "schema": WEATHER["function"]["parameters"]}
    shaped = await say(client, "hi", response_format={"type": "json_schema", "json_schema": schema})
    assert json.loads(shaped) == {"q": "echo: hi"}


async def test_breaks_the_stream_half_way(client: AsyncOpenAI) -> None:
    """A connection that dies in the middle of an answer dies here as well."""
    with pytest.raises(Exception, match=r"(?i)incomplete|peer closed|connection|payload"):
        await stream(client, "[[stream_break]] [[len:2000]]")


async def test_takes_its_time(client: AsyncOpenAI, models: ModelSim) -> None:
    """Waiting by directive, to the first token and per token are all obeyed; only a lower bound is safe to test."""
    begun = time.monotonic()
    await say(client, "[[sleep:0.05]]")
    models.options.update(ttft=0.05, tps=400)
    await stream(client, "x" * 74)
    assert time.monotonic() - begun >= 0.14


async def test_notes_a_client_that_hangs_up(client: AsyncOpenAI, models: ModelSim) -> None:
    """Whether a cancelled turn really drops its model call can be read from the log."""
    models.options["ttft"] = 60
    call = asyncio.create_task(say(client, "x"))
    async with asyncio.timeout(5):
        while not models.log:  # noqa: ASYNC110  # the log is a record, not a signal
            await asyncio.sleep(0)
        call.cancel()
        while models.log[-1]["status"] != HUNG_UP:  # noqa: ASYNC110  # the same
            await asyncio.sleep(0)
    assert call.cancelled()


async def test_answers_by_script(client: AsyncOpenAI, models: ModelSim) -> None:
    """Scripted answers come in order, only to requests that match, and unknown fields are refused."""
    models.push("scripted one", {"tool_calls": [{"name": "get_weather", "args": {"q": "x"}}]}, match="special")
    assert await say(client, "ordinary") == "echo: ordinary"
    assert await say(client, "special") == "scripted one"
    assert [call.function.name for call in await calls(client, "special")] == ["get_weather"]
    assert await say(client, "special") == "echo: special"
    with pytest.raises(ValueError, match="txet"):
        models.push({"txet": "oops"})


async def test_refuses_keys_and_logs_no_secret(client: AsyncOpenAI, models: ModelSim) -> None:
    """Keys are checked by their endings and never appear in the log."""
    models.options["fail_keys"] = {"abcd": "401"}
    with pytest.raises(openai.AuthenticationError):
        await say(client, "x")
    models.options.update(fail_keys={}, valid_keys=["wxyz"])
    with pytest.raises(openai.AuthenticationError):
        await say(client, "x")
    last = models.log[-1]
    assert last["key"] == "abcd"
    assert last["body"]["messages"]
    assert "sk-test" not in json.dumps(last)


async def test_drops_old_bodies() -> None:
    """A long bench keeps its log and sheds the bodies."""
    async with ModelSim(keep_bodies=1) as sim, AsyncOpenAI(base_url=sim.openai_url, api_key="k") as client:
        await say(client, "one")
        await say(client, "two")
        assert ["body" in entry for entry in sim.log] == [False, True]


async def test_lists_models_embeds_speaks_and_listens(client: AsyncOpenAI) -> None:
    """The endpoints around the chat answer in their own shapes."""
    assert "gpt-5.2" in [model.id async for model in client.models.list()]
    made = await client.embeddings.create(model="e", input=["the red cat", "red cat the", "unrelated words"])
    one, same, other = (item.embedding for item in made.data)

    def near(left: list[float], right: list[float]) -> float:
        return sum(x * y for x, y in zip(left, right, strict=True))

    assert len(one) == 1536
    assert near(one, same) > 0.99
    assert near(one, other) < 0.5
    spoken = await client.audio.speech.create(model="tts-1", voice="alloy", input="hi", response_format="wav")
    with wave.open(BytesIO(spoken.read())) as sound:
        assert sound.getnframes() == 12000
    for wrong in ({"voice": ""}, {"input": "x" * 4097}, {"response_format": "midi"}):
        asked: dict[str, Any] = {"model": "tts-1", "voice": "alloy", "input": "hi", **wrong}
        with pytest.raises(openai.BadRequestError, match=r"voice|4096|midi"):
            await client.audio.speech.create(**asked)
    voice = ogg_opus_bytes() + b"SAY:hello you\0"
    heard = await client.audio.transcriptions.create(model="whisper-1", file=("v.ogg", voice))
    assert heard.text == "hello you"
    with pytest.raises(openai.BadRequestError, match="Unrecognized file format"):
        await client.audio.transcriptions.create(model="whisper-1", file=("v.txt", b"text"))
