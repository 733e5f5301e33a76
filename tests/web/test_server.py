import asyncio

import pytest

from lar.errors import ConfigError
from lar.web.doors import Doors
from lar.web.guard import from_here
from lar.web.server import bind, port_of, serve
from lar.web.settings import ServerSettings


def test_the_port_moves_if_it_is_busy() -> None:
    """A second program on the port does not keep the gateway from starting."""
    first = bind(ServerSettings(port=0))
    second = bind(ServerSettings(port=port_of(first)))
    assert port_of(second) > port_of(first)
    first.close()
    second.close()


def test_an_address_of_somebody_else() -> None:
    """A host that is not this machine's is a sentence about server.host, not a trace."""
    with pytest.raises(ConfigError, match=r"server\.host"):
        bind(ServerSettings(host="192.0.2.1", port=0))


async def test_stopping_closes_the_port() -> None:
    """After a graceful stop the port is free for the next start."""

    async def nothing(*_: object) -> dict[str, str]:
        return {}

    async def nobody(*_: object) -> None:
        return

    listener = bind(ServerSettings(port=0))
    port = port_of(listener)
    doors = Doors("t", dict[str, str], nothing, nobody)
    serving = asyncio.create_task(serve(doors, ServerSettings(port=port), listener))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    assert b"200 OK" in await asyncio.wait_for(reader.read(), 10)
    writer.close()
    serving.cancel()
    await asyncio.wait_for(asyncio.gather(serving, return_exceptions=True), 10)
    again = bind(ServerSettings(port=port))
    assert port_of(again) == port
    again.close()


@pytest.mark.parametrize(
    ("headers", "host", "welcome"),
    [
        ({"host": "127.0.0.1:49152"}, "127.0.0.1", True),
        ({"host": "localhost:1"}, "127.0.0.1", True),
        ({"host": "[::1]:1"}, "::1", True),
        ({"host": "lar.example"}, "127.0.0.1", False),
        ({"host": "lar.example"}, "0.0.0.0", True),  # noqa: S104  # an example
        ({"host": "lar.example", "origin": "https://lar.example"}, "0.0.0.0", True),  # noqa: S104  # an example
        ({"host": "lar.example", "origin": "https://evil.example"}, "0.0.0.0", False),  # noqa: S104  # an example
        ({}, "127.0.0.1", False),
    ],
)
def test_who_asks_from_here(headers: dict[str, str], host: str, welcome: bool) -> None:
    """Names rebound to loopback and pages of other sites are told apart from local commands."""
    assert from_here(headers, host) is welcome
