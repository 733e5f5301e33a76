import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from lar.channels.terminal.adapter import Closed, Socket
from lar.channels.terminal.frames import Hello
from lar.domain.values import JsonObject
from lar.errors import LarError
from lar.web.api import BAD_HELLO, MAX_BODY, REFUSED
from lar.web.doors import Doors
from lar.web.server import bind, port_of, serve
from lar.web.settings import ServerSettings

SETTINGS = ServerSettings(port=0)
PASS = "open sesame"  # noqa: S105  # of this test


@dataclass
class House:
    """A served API, and what came through its doors."""

    url: str = ""
    problems: dict[str, str] = field(default_factory=dict[str, str])
    calls: list[tuple[str, JsonObject]] = field(default_factory=list[tuple[str, JsonObject]])
    hooks: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list[tuple[Mapping[str, str], bytes]])
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def call(self, name: str, arguments: JsonObject) -> JsonObject:
        """An operation: `fail` fails, `status` is known, nothing else."""
        self.calls.append((name, arguments))
        if name == "fail":
            raise LarError("it cannot be done: try again")
        if name not in {"status", "people/add"}:
            raise KeyError(name)
        return {"called": name}

    async def chat(self, socket: Socket, hello: Hello) -> None:
        """Echo until the client is gone; fail on `boom`."""
        await socket.send({"hello": hello.client})
        try:
            while True:
                said = await socket.receive()
                if said == "boom":
                    raise ZeroDivisionError
                await socket.send({"echo": said})
        except Closed:
            self.ended.set()
            raise

    async def hook(self, headers: Mapping[str, str], body: bytes) -> int:
        """A vendor's call."""
        self.hooks.append((headers, body))
        return 200 if headers.get("x-secret") == "s" else 403


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """An API on a free port."""
    it = House()
    listener = bind(SETTINGS)
    it.url = f"http://127.0.0.1:{port_of(listener)}"
    doors = Doors(PASS, lambda: it.problems, it.call, it.chat, {"/vendor/webhook": it.hook})
    serving = asyncio.create_task(serve(doors, SETTINGS, listener))
    yield it
    serving.cancel()
    await asyncio.wait_for(asyncio.gather(serving, return_exceptions=True), 10)


async def ask(
    house: House, method: str, path: str, headers: Mapping[str, Any] | None = None, **body: Any
) -> httpx.Response:
    """One request, by default with the token."""
    headers = {"Authorization": f"Bearer {PASS}"} if headers is None else headers
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.request(method, house.url + path, headers=headers, **body)


async def test_health(house: House) -> None:
    """Anybody may ask whether all is well; the answer tells how many problems there are and none of their texts."""
    assert (await ask(house, "GET", "/health", {})).json()["status"] == "ok"
    house.problems["telegram"] = "the token of Ana is refused"
    answer = await ask(house, "GET", "/health", {})
    assert (answer.json()["status"], answer.json()["problems"]) == ("degraded", 1)
    assert "Ana" not in answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Basic {PASS}"}, 401),
        ({"Authorization": "Bearer ünïcode".encode()}, 401),
        ({"Authorization": f"Bearer {PASS}", "Host": "rebound.example"}, 403),
        ({"Authorization": f"Bearer {PASS}", "Origin": "https://evil.example"}, 403),
        ({"Authorization": f"Bearer {PASS}", "Origin": "null"}, 403),
        ({"Authorization": f"Bearer {PASS}"}, 200),
    ],
)
async def test_local_doors(house: House, headers: dict[str, Any], status: int) -> None:
    """Only the holder of the token comes in, and no web page on its behalf."""
    for method, path in (("GET", "/local/status"), ("POST", "/local/status")):
        assert (await ask(house, method, path, headers)).status_code == status
    assert len(house.calls) == (2 if status == 200 else 0)


async def test_operations(house: House) -> None:
    """An operation gets its arguments; what cannot be done is said in a sentence, and nothing fails with a trace."""
    assert (await ask(house, "POST", "/local/people/add", json={"user": "1"})).json() == {"called": "people/add"}
    assert house.calls == [("people/add", {"user": "1"})]
    refused = await ask(house, "POST", "/local/fail")
    assert (refused.status_code, refused.json()["detail"]) == (409, "it cannot be done: try again")
    assert (await ask(house, "POST", "/local/unknown")).status_code == 404
    assert (await ask(house, "POST", "/local/status", content=b"[1]")).status_code == 400
    assert (await ask(house, "POST", "/local/status", content=b"{")).status_code == 400
    assert (await ask(house, "POST", "/local/status", content=b" " * (MAX_BODY + 1))).status_code == 413


async def test_webhooks(house: House) -> None:
    """A vendor's request reaches its channel as it came, from any host name, and gets the channel's answer."""
    headers = {"X-Secret": "s", "Host": "public.example"}
    assert (await ask(house, "POST", "/vendor/webhook", headers, content=b"raw")).status_code == 200
    assert (await ask(house, "POST", "/vendor/webhook", {}, content=b"raw")).status_code == 403
    assert house.hooks[0][1] == b"raw"


async def test_talking(house: House) -> None:
    """A client with the token talks both ways, whether the token came as a header or in the hello."""
    async with connect(f"{house.url.replace('http', 'ws')}/ws", proxy=None) as socket:
        await socket.send(json.dumps({"type": "hello", "client": "me", "token": PASS}))
        assert json.loads(await socket.recv()) == {"hello": "me"}
        await socket.send("hi")
        assert json.loads(await socket.recv()) == {"echo": "hi"}
        await socket.send(b"binary")
        assert json.loads(await socket.recv()) == {"echo": ""}
    await asyncio.wait_for(house.ended.wait(), 10)
    headers = {"Authorization": f"Bearer {PASS}"}
    async with connect(f"{house.url.replace('http', 'ws')}/ws", additional_headers=headers, proxy=None) as socket:
        await socket.send(json.dumps({"type": "hello"}))
        assert json.loads(await socket.recv()) == {"hello": "local"}
        await socket.send("boom")
        with pytest.raises(ConnectionClosed):
            await socket.recv()


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ('{"type": "hello"}', REFUSED),
        ('{"type": "hello", "token": "wrong"}', REFUSED),
        ('{"type": "ack", "id": "1"}', BAD_HELLO),
        ("nonsense", BAD_HELLO),
    ],
)
async def test_strangers_are_sent_away(house: House, first: str, code: int) -> None:
    """Who does not prove itself in the first frame is told so and disconnected."""
    async with connect(f"{house.url.replace('http', 'ws')}/ws", proxy=None) as socket:
        await socket.send(first)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd
    assert closed.value.rcvd.code == code


async def test_no_web_page_may_connect(house: House) -> None:
    """A page open in a browser on this machine cannot talk through the owner's loopback, with or without the token."""
    headers = {"Authorization": f"Bearer {PASS}", "Origin": "https://evil.example"}
    with pytest.raises(InvalidStatus):
        async with connect(f"{house.url.replace('http', 'ws')}/ws", additional_headers=headers, proxy=None):
            pass
