"""A server that is a program of this machine: started, spoken to in lines, ended with all it started. Imports mcp."""

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import cast

import anyio
import structlog
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCNotification, jsonrpc_message_adapter

from lar.tools.mcp.line import ERRORS_KEPT, Line, Program

Incoming = SessionMessage | Exception
Streams = tuple[MemoryObjectReceiveStream[Incoming], MemoryObjectSendStream[SessionMessage]]

log = structlog.get_logger(__name__)

SECONDS_TO_LEAVE = 0.5
"""How long a program may take to end once its input is closed, and again once it was told to."""

NOISE = 8_000_000
"""Bytes nobody asked for (broken lines, notices) after which a program is ended."""

HEARD = frozenset({"notifications/tools/list_changed", "notifications/cancelled"})


@asynccontextmanager
async def started(program: Program, line: Line) -> AsyncGenerator[Streams]:
    """A transport of the MCP library over the program, in a session of its own; its whole group ends with this.

    Raises:
        OSError: it cannot be started.

    """
    process = await asyncio.create_subprocess_exec(
        *program.command,
        env=dict(program.env),
        cwd=program.folder,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        start_new_session=True,
        limit=program.longest,
    )
    to_us, incoming = anyio.create_memory_object_stream[Incoming](0)
    outgoing, from_us = anyio.create_memory_object_stream[SessionMessage](0)
    tasks = [
        asyncio.create_task(_listen(process, to_us, line)),
        asyncio.create_task(_speak(process, from_us)),
        asyncio.create_task(_note_errors(process, line)),
    ]
    try:
        yield incoming, outgoing
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process, tasks)
        for stream in (to_us, incoming, outgoing, from_us):
            stream.close()


async def _listen(process: Process, to_us: MemoryObjectSendStream[Incoming], line: Line) -> None:
    """Hand on every message, until the program ends or does what no server does."""
    stdout, noise = cast("asyncio.StreamReader", process.stdout), 0
    with to_us, suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        while True:
            try:
                said = await stdout.readuntil()
            except asyncio.LimitOverrunError:
                return line.end("it sent a message larger than max_result")
            except (asyncio.IncompleteReadError, ConnectionError):
                return line.end("it ended")
            message = _read(said)
            if message is None:
                noise += len(said)
                if noise > NOISE:
                    return line.end("it floods us with lines nobody asked for")
                continue
            if not isinstance(message.message, JSONRPCNotification):
                noise = 0
            await to_us.send(message)


def _read(said: bytes) -> SessionMessage | None:
    """The message of a line; None if it is none, or one that nobody listens to."""
    try:
        message = jsonrpc_message_adapter.validate_json(said, by_name=False)
    except (ValueError, RecursionError):
        return None
    if isinstance(message, JSONRPCNotification) and message.method not in HEARD:
        return None
    return SessionMessage(message)


async def _speak(process: Process, from_us: MemoryObjectReceiveStream[SessionMessage]) -> None:
    stdin = cast("asyncio.StreamWriter", process.stdin)
    with suppress(ConnectionError, anyio.ClosedResourceError):
        async for message in from_us:
            text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            stdin.write(text.encode("utf-8", "replace") + b"\n")
            await stdin.drain()


async def _note_errors(process: Process, line: Line) -> None:
    """Read standard error to its end, so that the program never waits for it."""
    stderr = cast("asyncio.StreamReader", process.stderr)
    while chunk := await stderr.read(65_536):
        lines = chunk.decode("utf-8", "replace").splitlines()
        line.errors.extend(text[:500] for text in lines[-ERRORS_KEPT:] if text.strip())


async def _end(process: Process, tasks: Sequence["asyncio.Task[None]"]) -> None:
    """Close its input, ask its whole group to end, and make it."""
    cast("asyncio.StreamWriter", process.stdin).close()
    waiting = asyncio.create_task(process.wait())
    for number in (signal.SIGTERM, signal.SIGKILL):
        await asyncio.wait([waiting], timeout=SECONDS_TO_LEAVE)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await asyncio.wait([waiting], timeout=SECONDS_TO_LEAVE)
    if process.returncode is None:
        log.error("an MCP server cannot be ended", pid=process.pid)
    waiting.cancel()
    _let_go(process)


def _let_go(process: Process) -> None:
    """Close our ends of the pipes, also where something that left the group holds the others."""
    transport = cast("asyncio.SubprocessTransport", process._transport)  # noqa: SLF001  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]  # asyncio has no public way
    transport.close()
