"""The model simulator's Anthropic, Gemini and Ollama, by plain requests, and its control over HTTP."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from lar.testing.models import ModelSim
from lar.testing.models.samples import png_bytes

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"q": {"type": "string"}}}
ASK_TOOL = '[[tool~:wea.* {"q": "Oslo"}]]'
PICTURE = base64.b64encode(png_bytes()).decode()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A plain client at a simulator of its own."""
    async with ModelSim() as sim, httpx.AsyncClient(base_url=sim.url) as opened:
        yield opened


async def post(http: httpx.AsyncClient, path: str, **body: Any) -> Any:
    """The JSON answer to a JSON body."""
    return (await http.post(path, json=body)).json()


def events(text: str) -> list[Any]:
    """The data of all server-sent events."""
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]


async def claude(http: httpx.AsyncClient, content: Any, **more: Any) -> Any:
    """One request to Anthropic's Messages."""
    messages = more.pop("messages", [{"role": "user", "content": content}])
    return await post(http, "/v1/messages", **{"model": "m", "max_tokens": 99, "messages": messages, **more})


async def test_anthropic_tool_round_trip(http: httpx.AsyncClient) -> None:
    """Calls, results and media in Anthropic's blocks."""
    assert (await claude(http, "hello"))["content"] == [{"type": "text", "text": "echo: hello"}]
    tools = [{"name": "get_weather", "input_schema": SCHEMA}]
    asked = await claude(http, ASK_TOOL, tools=tools)
    (use,) = asked["content"]
    assert (asked["stop_reason"], use["type"], use["input"]) == ("tool_use", "tool_use", {"q": "Oslo"})
    result = {"type": "tool_result", "tool_use_id": use["id"], "content": [{"type": "text", "text": "sunny"}]}
    history = [{"role": "user", "content": ASK_TOOL}, {"role": "assistant", "content": [use]}]
    after = await claude(http, "", tools=tools, messages=[*history, {"role": "user", "content": [result]}])
    assert after["content"][0]["text"] == "tool get_weather said: sunny"
    dangling = await claude(http, "", tools=tools, messages=[*history, {"role": "user", "content": "x"}])
    assert "without `tool_result` blocks" in dangling["error"]["message"]
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}}
    seen = await claude(http, [image, {"type": "text", "text": "[[image?]]"}])
    assert f"image image/png {len(png_bytes())}B" in seen["content"][0]["text"]


async def test_anthropic_streams_blocks(http: httpx.AsyncClient) -> None:
    """Thinking, text and tool arguments arrive as the deltas that Anthropic's clients put together."""
    tools = [{"name": "get_weather", "input_schema": SCHEMA}]
    body = {"model": "m", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "[[think:hm]] hi"}]}
    told = events((await http.post("/v1/messages", json=body)).text)
    assert (told[0]["type"], told[-1]["type"]) == ("message_start", "message_stop")
    deltas = [event["delta"] for event in told if event["type"] == "content_block_delta"]
    assert "".join(delta.get("thinking", "") for delta in deltas) == "hm"
    assert "".join(delta.get("text", "") for delta in deltas) == "echo: [[think:hm]] hi"
    called = {**body, "tools": tools, "messages": [{"role": "user", "content": ASK_TOOL}]}
    told = events((await http.post("/v1/messages", json=called)).text)
    partial = [event["delta"]["partial_json"] for event in told if event["type"] == "content_block_delta"]
    assert json.loads("".join(partial)) == {"q": "Oslo"}


BAD_BODIES: list[tuple[Any, str]] = [
    ({"max_tokens": None}, "max_tokens: Field required"),
    ({"messages": []}, "at least one message"),
    ({"messages": [{"role": "assistant", "content": "x"}]}, 'must use the "user" role'),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}, "must be non-empty"),
    (
        {"messages": [{"role": "user", "content": []}, {"role": "user", "content": "x"}]},
        "all messages must have non-empty content",
    ),
]


@pytest.mark.parametrize(("body", "complaint"), BAD_BODIES)
async def test_anthropic_refuses(http: httpx.AsyncClient, body: Any, complaint: str) -> None:
    """What Anthropic refuses is refused."""
    assert complaint in (await claude(http, "x", **body))["error"]["message"]


async def test_anthropic_errors_are_its_own(http: httpx.AsyncClient) -> None:
    """An empty account, overload and limits come with Anthropic's status and type."""
    limited = await claude(http, "[[status:429]]")
    assert (limited["type"], limited["error"]["type"]) == ("error", "rate_limit_error")
    assert "credit balance is too low" in (await claude(http, "[[status:quota]]"))["error"]["message"]
    assert (await claude(http, "[[status:529]]"))["error"]["type"] == "overloaded_error"
    counted = await post(http, "/v1/messages/count_tokens", model="m", messages=[{"role": "user", "content": "me"}])
    assert counted["input_tokens"] > 0
    listed = await http.get("/v1/models", headers={"anthropic-version": "2023-06-01"})
    assert listed.json()["data"][0]["id"] == "sim-1"


async def gemini(http: httpx.AsyncClient, contents: Any, verb: str = "generateContent", **more: Any) -> Any:
    """One request to a Gemini model."""
    given = [{"role": "user", "parts": [{"text": contents}]}] if isinstance(contents, str) else contents
    return await post(http, f"/v1beta/models/g:{verb}", contents=given, **more)


def gemini_parts(answer: Any) -> list[Any]:
    """The parts of the first candidate."""
    return answer["candidates"][0]["content"]["parts"]


async def test_gemini_tool_round_trip(http: httpx.AsyncClient) -> None:
    """Calls, results, media, counts and errors in Gemini's shapes."""
    assert gemini_parts(await gemini(http, "hello")) == [{"text": "echo: hello"}]
    tools = [{"functionDeclarations": [{"name": "get_weather", "parametersJsonSchema": SCHEMA}]}]
    asked = await gemini(http, ASK_TOOL, tools=tools)
    (call,) = gemini_parts(asked)
    assert call["functionCall"]["args"] == {"q": "Oslo"}
    result = {"functionResponse": {"name": "get_weather", "response": {"result": "hail"}}}
    history = [
        {"role": "user", "parts": [{"text": ASK_TOOL}]},
        asked["candidates"][0]["content"],
        {"role": "user", "parts": [result]},
    ]
    assert gemini_parts(await gemini(http, history, tools=tools)) == [{"text": "tool get_weather said: hail"}]
    blob = {"inlineData": {"mimeType": "image/png", "data": PICTURE}}
    seen = await gemini(http, [{"role": "user", "parts": [blob, {"text": "[[image?]]"}]}])
    assert f"image image/png {len(png_bytes())}B" in gemini_parts(seen)[0]["text"]
    assert (await gemini(http, "[[status:quota]]"))["error"]["status"] == "RESOURCE_EXHAUSTED"
    assert (await gemini(http, "count me", "countTokens"))["totalTokens"] > 0
    embedded = await gemini(http, [], "embedContent", content={"parts": [{"text": "x"}]})
    assert len(embedded["embedding"]["values"]) == 768


async def test_gemini_forced_call_and_broken_arguments(http: httpx.AsyncClient) -> None:
    """Mode ANY forces a call; arguments that are no JSON end as MALFORMED_FUNCTION_CALL without parts."""
    tools = [{"functionDeclarations": [{"name": "get_weather", "parametersJsonSchema": SCHEMA}]}]
    forced = await gemini(http, "x", tools=tools, toolConfig={"functionCallingConfig": {"mode": "ANY"}})
    assert gemini_parts(forced)[0]["functionCall"]["args"] == {"q": "x"}
    broken = await gemini(http, "[[badjson:get_weather]]", tools=tools)
    assert broken["candidates"][0]["finishReason"] == "MALFORMED_FUNCTION_CALL"
    assert gemini_parts(broken) == []


@pytest.mark.parametrize("framing", ["sse", "array"])
async def test_gemini_streams_in_both_framings(http: httpx.AsyncClient, framing: str) -> None:
    """Events with alt=sse, one JSON array without."""
    body = {"contents": [{"parts": [{"text": "[[len:200]]"}]}]}
    query = {"alt": "sse"} if framing == "sse" else {}
    text = (await http.post("/v1beta/models/g:streamGenerateContent", json=body, params=query)).text
    chunks = events(text) if framing == "sse" else json.loads(text)
    assert sum(len(gemini_parts(chunk)[0]["text"]) for chunk in chunks) == 200


async def test_ollama_tool_round_trip(http: httpx.AsyncClient) -> None:
    """Chat, generate, tools, pictures, lists and errors in Ollama's shapes."""

    async def chat(*messages: Any, **more: Any) -> Any:
        return await post(http, "/api/chat", model="m", stream=False, messages=messages, **more)

    asked = {"role": "user", "content": ASK_TOOL}
    assert (await chat({"role": "user", "content": "hello"}))["message"]["content"] == "echo: hello"
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}]
    called = (await chat(asked, tools=tools))["message"]
    assert called["tool_calls"][0]["function"] == {"name": "get_weather", "arguments": {"q": "Oslo"}}
    told = {"role": "tool", "content": "fog"}
    assert (await chat(asked, called, told, tools=tools))["message"]["content"] == "tool get_weather said: fog"
    seen = await chat({"role": "user", "content": "[[image?]]", "images": [PICTURE]})
    assert f"{len(png_bytes())}B" in seen["message"]["content"]
    generated = await post(http, "/api/generate", model="m", prompt="gen", stream=False)
    assert generated["response"] == "echo: gen"
    assert (await http.get("/api/tags")).json()["models"]
    assert "tools" in (await post(http, "/api/show", model="m"))["capabilities"]
    assert len((await post(http, "/api/embed", model="m", input=["a", "b"]))["embeddings"]) == 2
    assert (await chat({"role": "user", "content": "[[status:500]]"}))["error"]
    assert (await post(http, "/api/generate", model="m"))["done_reason"] == "load"


async def test_ollama_streams_lines(http: httpx.AsyncClient) -> None:
    """Ollama streams by default, one JSON object a line, counts in the last."""
    body = {"model": "m", "messages": [{"role": "user", "content": "[[len:200]]"}]}
    lines = [json.loads(line) for line in (await http.post("/api/chat", json=body)).text.splitlines()]
    assert len("".join(line["message"]["content"] for line in lines)) == 200
    assert lines[-1]["done"]
    assert lines[-1]["eval_count"]


async def test_control_over_http(http: httpx.AsyncClient) -> None:
    """Tests in other processes script, read the log, configure and reset through /_sim."""

    async def say(text: str, base: str = "/v1") -> Any:
        return await post(http, f"{base}/chat/completions", model="m", messages=[{"role": "user", "content": text}])

    await post(http, "/_sim/script", match="magic", outputs=[{"text": "abra"}, {"status": "quota"}])
    assert (await say("plain"))["choices"][0]["message"]["content"] == "echo: plain"
    assert (await say("magic", "/openai/v1"))["choices"][0]["message"]["content"] == "abra"
    assert (await say("magic", ""))["error"]["code"] == "insufficient_quota"
    log = (await http.get("/_sim/log", params={"match": "magic"})).json()
    assert [entry["status"] for entry in log] == [200, 429]
    assert log[0]["body"]["model"] == "m"
    assert log[0]["t_out"] >= log[0]["t_in"]
    bare = (await http.get("/_sim/log", params={"since": log[0]["n"], "bodies": "0"})).json()
    assert [("body" in entry, entry["n"]) for entry in bare] == [(False, log[1]["n"])]
    assert (await post(http, "/_sim/config", ttft=0.01))["ttft"] == 0.01
    assert "unknown options" in (await post(http, "/_sim/config", tfft=1))["error"]
    assert "txet" in (await post(http, "/_sim/script", outputs=[{"txet": "x"}]))["error"]
    assert (await http.get("/_sim/nothing")).status_code == 404
    assert (await http.get("/nope")).status_code == 404
    assert (await post(http, "/_sim/reset"))["ok"]
    assert (await http.get("/_sim/log")).json() == []
