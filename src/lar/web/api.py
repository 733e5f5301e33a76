"""The HTTP API: health for everybody, webhooks for vendors, the rest for whoever holds the token."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response, WebSocket, WebSocketDisconnect

from lar import __version__
from lar.channels.terminal.adapter import Closed
from lar.channels.terminal.frames import BadFrame, Hello, parse
from lar.domain.values import JsonObject
from lar.errors import LarError
from lar.web.doors import Doors, Webhook
from lar.web.guard import from_here, holds

log = structlog.get_logger(__name__)

MAX_BODY = 2_000_000
"""Bytes of a request's body."""

HELLO_SECONDS = 10.0
"""How long a client may take to say hello."""

REFUSED, BAD_HELLO = 4401, 4400
"""WebSocket close codes: no or a wrong token; no proper hello."""


def build(doors: Doors, host: str) -> FastAPI:
    """The application. `host` is the address the server listens on."""
    app = FastAPI(title="Lar", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/health")
    async def health() -> JsonObject:
        """Whether all is well. Tells nothing about anybody."""
        problems = len(doors.problems())
        return {"status": "degraded" if problems else "ok", "version": __version__, "problems": problems}

    @app.websocket("/ws")
    async def ws(websocket: WebSocket) -> None:
        """Talk with a local client; the frames are described in `lar.channels.terminal.frames`."""
        if from_here(websocket.headers, host):
            await _talk(doors, websocket)
        else:
            await websocket.close(REFUSED)

    app.include_router(_local(doors, host))
    for path, receive in doors.webhooks.items():
        app.add_api_route(path, _webhook(receive), methods=["POST"])
    return app


def _local(doors: Doors, host: str) -> APIRouter:
    """What local commands use."""

    def guard(request: Request) -> None:
        if not from_here(request.headers, host):
            raise HTTPException(403, "not from here")
        if not holds(doors.token, request.headers):
            raise HTTPException(401, "the token file of the home folder opens this", {"WWW-Authenticate": "Bearer"})

    router = APIRouter(prefix="/local", dependencies=[Depends(guard)])

    @router.get("/status")
    async def status() -> JsonObject:
        """What the gateway does right now."""
        return await doors.call("status", {})

    @router.post("/{name:path}")
    async def operation(name: str, body: Annotated[bytes, Depends(_body)]) -> JsonObject:
        """Run an operation on behalf of a local command."""
        try:
            return await doors.call(name, _arguments(body))
        except KeyError:
            raise HTTPException(404, f"there is no operation {name}") from None
        except LarError as error:
            raise HTTPException(409, str(error)) from None

    return router


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise HTTPException(413, f"at most {MAX_BODY} bytes")
    return bytes(body)


def _arguments(body: bytes) -> JsonObject:
    try:
        arguments = json.loads(body or b"{}")
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        raise HTTPException(400, "the body is a JSON object")
    return arguments  # pyright: ignore[reportUnknownVariableType]  # JSON of the caller's making


def _webhook(receive: Webhook) -> Callable[[Request, bytes], Awaitable[Response]]:
    async def route(request: Request, body: Annotated[bytes, Depends(_body)]) -> Response:
        return Response(status_code=await receive(request.headers, body))

    return route


class _Socket:
    """A WebSocket as the terminal channel sees it."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def send(self, frame: JsonObject) -> None:
        """Send one frame."""
        try:
            await self._websocket.send_text(json.dumps(frame))
        except (WebSocketDisconnect, RuntimeError):
            raise Closed from None

    async def receive(self) -> str:
        """The next text frame."""
        try:
            return await self._websocket.receive_text()
        except (WebSocketDisconnect, RuntimeError):
            raise Closed from None
        except KeyError:
            return ""  # a binary frame


async def _talk(doors: Doors, websocket: WebSocket) -> None:
    """Let a client in that proves itself, and talk with it until one of the two is gone."""
    await websocket.accept()
    socket = _Socket(websocket)
    try:
        hello = parse(await asyncio.wait_for(socket.receive(), HELLO_SECONDS))
        if not isinstance(hello, Hello):
            await websocket.close(BAD_HELLO, "say hello first")
        elif not holds(doors.token, websocket.headers, hello.token):
            await websocket.close(REFUSED, "the token is missing or wrong")
        else:
            await doors.chat(socket, hello)
    except (BadFrame, TimeoutError) as error:
        await websocket.close(BAD_HELLO, str(error) or "say hello first")
    except Closed:
        return
    except Exception:
        log.exception("a connection to a local client failed")
        await websocket.close(1011)
