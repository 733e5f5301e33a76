"""One HTTP request to the simulator on its way: its log entry, its body, its answer."""

import json
import time
from collections import deque
from typing import Any

from aiohttp import web

from lar.testing.models.dialect import Refusal
from lar.testing.models.wire import Wire, obj

BROKEN = -1
"""The status, in the log, of an answer whose connection was broken on purpose."""

HUNG_UP = -2
"""The status of a request whose client hung up before the answer was complete."""

_SECRET_HEADERS = ("authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie")


class Log(deque[Wire]):
    """What was asked and answered, oldest first; only the latest entries keep the bodies.

    Times are seconds since the epoch: `t_in` arrival, `t_first` first model output, `t_out` end of the answer.
    """

    def __init__(self, keep_bodies: int, size: int = 100_000) -> None:
        super().__init__(maxlen=size)
        self.keep_bodies = keep_bodies
        self._with_body: deque[Wire] = deque()

    def keep_body(self, entry: Wire, body: Any) -> None:
        """Keep this body, drop the oldest beyond `keep_bodies`."""
        entry["body"] = body
        self._with_body.append(entry)
        while len(self._with_body) > self.keep_bodies:
            self._with_body.popleft().pop("body", None)


class Exchange:
    """A request, its log entry and the API key that came with it."""

    def __init__(self, request: web.Request, number: int, log: Log) -> None:
        self.request = request
        self.key = _key(request)
        self._log = log
        self.entry: Wire = {
            "n": number,
            "t_in": time.time(),
            "t_first": None,
            "t_out": None,
            "path": "/" + request.match_info["path"].rstrip("/"),
            "http": request.method,
            "key": self.key[-4:],
            "status": 0,
            "headers": {
                name: f"…{value[-4:]}" if name.lower() in _SECRET_HEADERS else value
                for name, value in request.headers.items()
            },
        }
        log.append(self.entry)

    @property
    def rid(self) -> str:
        """The number that the answer's ids carry."""
        return f"{self.entry['n']:08d}sim"

    async def body(self) -> Wire:
        """The JSON body, logged; unreadable JSON reads as empty."""
        raw = await self.request.read()
        self.entry["bytes"] = len(raw)
        try:
            body = obj(json.loads(raw or b"{}"))
        except ValueError:
            body = {}
        self._log.keep_body(self.entry, body)
        return body

    def json(self, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
        """Answer with JSON."""
        self.done(status)
        self.entry["t_first"] = self.entry["t_first"] or self.entry["t_out"]
        return web.json_response(body, status=status, headers=headers)

    def refuse(self, refusal: Refusal) -> web.Response:
        """Answer with an error."""
        return self.json(refusal.body, refusal.http, refusal.headers)

    def done(self, status: int) -> None:
        """Note how and when it ended: an HTTP status, `BROKEN` or `HUNG_UP`."""
        self.entry.update(status=status, t_out=time.time())


def _key(request: web.Request) -> str:
    headers = request.headers
    bearer = headers.get("authorization", "").removeprefix("Bearer ")
    named = (headers.get(name, "") for name in ("x-api-key", "x-goog-api-key", "api-key"))
    return bearer or next((key for key in named if key), "") or request.query.get("key", "")
