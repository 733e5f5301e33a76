"""The simulator as a server: OpenAI Chat, Responses, embeddings and audio, Anthropic, Gemini, Ollama on one port.

The answer to everything is `echo: <latest user text>`, unless the latest user message carries [[directives]]:

    [[tool:NAME {json}]]  [[tool~:REGEX {json}]]   call that tool if offered, then answer `tool NAME said: ...`;
                                                   several run in turn, with [[par]] at once
    [[loop:NAME {json}]]  [[badjson:NAME]]         call it for ever; call it with malformed arguments
    [[tools]] [[system]] [[history]] [[image?]]    tools offered; system prompt; roles so far; media received
    [[len:N]] [[md]] [[text:...]] [[think:...]]    N characters of markdown; nasty markdown; literal; reasoning
    [[maxtok]] [[sleep:S]] [[stream_break]]        cut off by the limit; wait; drop the connection half-way
    [[status:429]]                                 a provider-shaped error (also 400 401 403 404 500 503 529 quota
                                                   context) once per text; `x3`, `always` or `key` after it

Over HTTP it is controlled through `/_sim/script`, `/_sim/log`, `/_sim/config` and `/_sim/reset`.
"""

import asyncio
import dataclasses
import itertools
import json
import re
from typing import Any, Self

from aiohttp import web

from lar.testing.models.brain import Rule
from lar.testing.models.completion import Completions
from lar.testing.models.endpoints import ROUTES
from lar.testing.models.exchange import HUNG_UP, Exchange, Log
from lar.testing.models.reply import Reply
from lar.testing.models.wire import Wire, objs

_LARGEST_BODY = 256 << 20
_OUTPUT_FIELDS = {field.name for field in dataclasses.fields(Reply)} - {"calls"} | {"tool_calls"}


class ModelSim:
    """All model servers in one. `async with ModelSim() as models: ... models.openai_url`.

    `options`, changeable at any time: `ttft` seconds to the first token, `tps` tokens per second (0: at once), `strict`
    (refuse what providers refuse), `valid_keys` (endings; empty: any), `fail_keys` (ending → status word), `transcript`
    (of every audio; empty: see `audio`), `dims` of embeddings, `not_user` (regular expression, see `ask.Ask`).
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        ttft: float = 0.0,
        tps: float = 0.0,
        strict: bool = True,
        keep_bodies: int = 300,
    ) -> None:
        self.host = host
        self.port = port
        self.options: dict[str, Any] = {"ttft": ttft, "tps": tps, "strict": strict}
        self.options |= {"valid_keys": [], "fail_keys": {}, "transcript": "", "dims": 1536, "not_user": ""}
        self._keep_bodies = keep_bodies
        self._runner: web.AppRunner | None = None
        self.reset()

    def reset(self) -> None:
        """Forget the log, the script, stored responses and which failures were shown; the options stay."""
        self.log = Log(self._keep_bodies)
        self._completions = Completions(self.options)
        self._numbers = itertools.count(1)

    async def start(self) -> None:
        """Listen; a port of 0 becomes the one that was free."""
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_route("*", "/_sim/{action}", self._serve_control)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.5, keepalive_timeout=300, handler_cancellation=True
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port, backlog=1024).start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening and drop what is under way."""
        if self._runner:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """The root: the base URL of Anthropic, Gemini and Ollama clients."""
        return f"http://{self.host}:{self.port}"

    @property
    def openai_url(self) -> str:
        """The base URL of OpenAI clients."""
        return f"{self.url}/v1"

    @property
    def last_number(self) -> int:
        """The number `n` of the newest log entry, 0 before the first."""
        return int(self.log[-1]["n"]) if self.log else 0

    def push(self, *outputs: Wire | str, match: str | None = None, model: str | None = None) -> None:
        """Set the exact next answers for requests whose JSON body matches the regular expression `match`.

        Each is a text or an object of `text`, `tool_calls` ([{name, args}]), `thinking`, `status`, `message`, `sleep`
        (seconds), `stream_break`, `finish`. Raises ValueError for any other field.
        """
        answers = [{"text": output} if isinstance(output, str) else output for output in outputs]
        unknown = {name for answer in answers for name in answer} - _OUTPUT_FIELDS
        if unknown:
            raise ValueError(f"unknown fields {sorted(unknown)} in an output; known are {sorted(_OUTPUT_FIELDS)}")
        self._completions.brain.script.append(Rule(match, model, answers))

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        exchange = Exchange(request, next(self._numbers), self.log)
        path = exchange.entry["path"]
        for pattern, endpoint in ROUTES:
            match = pattern.search(path)
            if match:
                try:
                    return await endpoint(self._completions, exchange, *match.groups())
                except asyncio.CancelledError:
                    exchange.done(HUNG_UP)
                    raise
                except ConnectionError:
                    exchange.done(HUNG_UP)
                    return web.Response()  # nobody reads it
        message = f"Invalid URL ({request.method} {path})"
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
        return exchange.json({"error": error}, 404)

    async def _serve_control(self, request: web.Request) -> web.Response:
        given: Wire = dict(request.query)
        if request.can_read_body:
            given.update(await request.json())
        match request.match_info["action"]:
            case "script":
                return self._control_script(given)
            case "log":
                return web.json_response(self._chosen_log(given))
            case "config":
                unknown = sorted(set(given) - set(self.options))
                if unknown:
                    return web.json_response({"error": f"unknown options {unknown}"}, status=400)
                self.options.update(given)
                return web.json_response(self.options)
            case "reset":
                self.reset()
                return web.json_response({"ok": True})
            case action:
                return web.json_response({"error": f"no control action {action!r}"}, status=404)

    def _control_script(self, given: Wire) -> web.Response:
        try:
            if "outputs" in given:
                self.push(*objs(given["outputs"]), match=given.get("match"), model=given.get("model"))
        except ValueError as wrong:
            return web.json_response({"error": str(wrong)}, status=400)
        return web.json_response([dataclasses.asdict(rule) for rule in self._completions.brain.script])

    def _chosen_log(self, given: Wire) -> list[Wire]:
        since, wanted = int(given.get("since", 0)), str(given.get("match", ""))
        rows = [entry for entry in self.log if entry["n"] > since and re.search(wanted, json.dumps(entry))]
        if str(given.get("bodies", "1")) not in ("0", "false"):
            return rows
        return [{k: v for k, v in row.items() if k not in ("body", "headers")} for row in rows]
