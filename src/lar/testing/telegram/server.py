"""The Bot API over HTTP: reading requests, running methods, answering, downloads."""

import asyncio
import inspect
import json
import re
import time
from typing import Any, cast

from aiohttp import web

from lar.testing.telegram.faults import apply_fault
from lar.testing.telegram.methods import METHODS, Call
from lar.testing.telegram.wire import ApiError, Json, Params, Upload, bad
from lar.testing.telegram.world import Bot, World


def respond(result: Any) -> web.Response:
    """The answer to a call, or its refusal."""
    if not isinstance(result, ApiError):
        return web.json_response({"ok": True, "result": result})
    body: Json = {"ok": False, "error_code": result.code, "description": result.description}
    headers: dict[str, str] = {}
    if result.parameters:
        body["parameters"] = result.parameters
    if "retry_after" in result.parameters:
        headers["Retry-After"] = str(result.parameters["retry_after"])
    return web.json_response(body, status=result.code, headers=headers)


async def read_params(request: web.Request) -> Params:
    """Arguments from the query, and from a body of JSON, a form, or multipart with files."""
    values: Json = dict(request.query)
    uploads: dict[str, Upload] = {}
    if request.content_type == "application/json":
        raw = await request.read()
        if raw.strip():
            try:
                values.update(json.loads(raw))
            except (ValueError, TypeError):
                raise bad("can't parse JSON object") from None
    elif request.content_type in {"multipart/form-data", "application/x-www-form-urlencoded"}:
        for name, part in (await request.post()).items():
            if isinstance(part, web.FileField):
                uploads[name] = Upload(part.file.read(), part.filename or name, part.content_type)
            else:
                values[name] = part.decode() if isinstance(part, (bytes, bytearray)) else part
    return Params(values, uploads)


class BotApi:
    """The bot's side of the world."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer /bot<token>/<method>; every call is logged with status, duration, parameters."""
        world, started = self._world, time.perf_counter()
        token, method = request.match_info["token"], request.match_info["method"]
        entry = world.log_call(method=method, token=token[-4:], chat_id=None, status=0)
        try:
            result = await self._answer(request, entry)
            entry["status"] = 200
        except ApiError as error:
            result = error
            entry.update(status=error.code, description=error.description)
        except ConnectionAbortedError:
            entry.update(status=-1, description="connection dropped by fault")
            if request.transport:
                request.transport.abort()
            return web.Response(status=500)
        except ConnectionResetError:
            entry.update(status=-1, description="the bot hung up while it was asking")
            return web.Response(status=500)
        finally:
            entry["ms"] = round((time.perf_counter() - started) * 1000, 2)
            if world.on_call:
                world.on_call(entry)
        return respond(result)

    async def _answer(self, request: web.Request, entry: Json) -> Any:
        world = self._world
        token, method = request.match_info["token"], request.match_info["method"].lower()
        bot = world.bots.get(token)
        if bot is None:
            known_form = re.fullmatch(r"\d+:[\w-]+", token)
            raise ApiError(401, "Unauthorized" if known_form else "Unauthorized: invalid token specified")
        params = await read_params(request)
        entry["params"] = params.describe()
        chat_id = params.text("chat_id")
        entry["chat_id"] = int(chat_id) if re.fullmatch(r"-?\d+", chat_id) else chat_id or None
        fault = world.faults.take(method, entry["chat_id"])
        if world.options["latency"] and method != "getupdates":
            await asyncio.sleep(world.options["latency"])
        if fault and not fault.get("after"):
            await apply_fault(fault)
        if method in {name.lower() for name in world.options["disabled_methods"]}:
            raise ApiError(404, "Not Found: method not found")
        result = await self.execute(bot, method, params)
        if fault and fault.get("after"):
            entry["applied"] = True
            await apply_fault(fault)
        _note_result(entry, method, result)
        return result

    async def execute(self, bot: Bot, method: str, params: Params) -> Any:
        """Run a method (its name in lower case).

        Raises:
            ApiError: It does not exist or refuses.
        """
        handler = METHODS.get(method)
        if handler is None:
            raise ApiError(404, "Not Found: method not found")
        result = handler(Call(self._world, bot, params))
        return await result if inspect.isawaitable(result) else result

    async def serve_file(self, request: web.Request) -> web.StreamResponse:
        """Answer /file/bot<token>/<path>."""
        if request.match_info["token"] not in self._world.bots:
            return respond(ApiError(401, "Unauthorized"))
        stored = self._world.files.get(request.match_info["path"])
        if stored is None or stored.path != request.match_info["path"]:
            return respond(ApiError(404, "Not Found: file not found"))
        return web.Response(body=stored.data, content_type="application/octet-stream")


def _note_result(entry: Json, method: str, result: Any) -> None:
    """In the log of calls: which message came of it, which updates were handed out."""
    if method == "getupdates":
        entry["updates"] = [update["update_id"] for update in result]
    elif isinstance(result, dict):
        sent = cast("Json", result)
        entry.update({"message_id": sent["message_id"]} if "message_id" in sent else {})
