"""One browser: started behind walls, told what to do, and ended with everything it started."""

import asyncio
import json
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import structlog

from lar.domain.values import JsonObject
from lar.errors import SandboxError, ToolError
from lar.sandboxes.contract import Limits, Result, Sandbox, Spec
from lar.tools.browser.finding import NO_SANDBOX, Found
from lar.tools.browser.seen import Look, bare, read_look
from lar.tools.browser.settings import BrowserSettings
from lar.tools.browser.way_out import WayOut

log = structlog.get_logger(__name__)

_HOST = Path(__file__).with_name("host.py")
STARTS, GRACE = 30.0, 10.0
"""Seconds a browser may take to start, and to answer beyond what it was given."""

_LONGEST_ANSWER = 48 << 20
_PROCESSES, _OUTPUT, _FILE = 1_000, 1 << 20, 256 << 20
_MOST_LINKS = 20_000
PREFIX = f"lar-browser-{os.getpid()}"
"""What the folders of this process's browsers are called; those of dead ones are found by it."""


@dataclass(slots=True)
class Text:
    """The text of the page that was read last, for its further parts; `at` in seconds of the clock that never jumps."""

    url: str = ""
    text: str = ""
    at: float = 0.0


class Session:
    """One browser. `used`: something was handed over in it, so that it may act as the person."""

    def __init__(self, found: Found, settings: BrowserSettings, sandbox: Sandbox, way_out: WayOut) -> None:
        self._found = found
        self._settings = settings
        self._sandbox = sandbox
        self.way_out = way_out
        self._running: asyncio.Task[Result] | None = None
        self._answers: asyncio.StreamReader | None = None
        self._asks: asyncio.StreamWriter | None = None
        self._busy = asyncio.Lock()
        self.seen: Look | None = None
        self.text = Text()
        self.links: set[str] = set()
        """Addresses that stood on its pages: opening one of them tells nobody anything new."""
        self.used = False
        self.last = 0.0
        """When it was last used, by the event loop's clock."""

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._running is None or self._running.done()

    @property
    def source(self) -> str:
        """Where what it says comes from."""
        return f"web: {self.seen.host}" if self.seen else ""

    @property
    def busy(self) -> bool:
        """Whether it is being used now."""
        return self._busy.locked()

    async def start(self) -> None:
        """Start it.

        Raises:
            ToolError: it does not start; the text says why.

        """
        connected: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = (
            asyncio.get_running_loop().create_future()
        )
        self._running = asyncio.create_task(self._run(connected))
        try:
            async with asyncio.timeout(STARTS):
                await asyncio.wait([self._running, connected], return_when=asyncio.FIRST_COMPLETED)
                if connected.done() and not connected.cancelled():
                    self._answers, self._asks = connected.result()
                await self._exchange(self._wanted())
        except TimeoutError:
            await self.end()
            raise ToolError("The browser takes too long to start.") from None
        except BaseException:
            await self.end()
            raise

    async def ask(self, do: str, *, seconds: float = 0.0, acts: bool = False, **given: object) -> JsonObject:
        """Have the browser do something; what it says. `seconds` is what that may take beyond the usual.

        `acts`: if it is not known whether it was done, that is said.

        Raises:
            ToolError: it cannot be done, or the browser is gone.

        """
        limit = self._settings.timeout_seconds * 2 + seconds + GRACE
        try:
            async with self._busy, asyncio.timeout(limit):
                return await self._exchange({"do": do, "with": given})
        except TimeoutError:
            await self.end()
            text = "The page keeps the browser busy without end; it was closed. Navigate again."
            raise ToolError(text, source=self.source, unknown=acts) from None
        except asyncio.CancelledError:  # whoever stops a turn stops its browser
            await self.end()
            raise
        except ToolError as error:
            raise ToolError(str(error), source=self.source, unknown=acts and self.over) from None
        finally:
            self.last = asyncio.get_running_loop().time()

    async def look(self, do: str, *, seconds: float = 0.0, acts: bool = False, **given: object) -> Look:
        """As `ask`, of what gives the page: it is remembered."""
        look = read_look(await self.ask(do, seconds=seconds, acts=acts, **given))
        self.seen = look
        self.text = Text()
        if len(self.links) < _MOST_LINKS:
            self.links |= {bare(link) for link in look.links}
        return look

    async def end(self) -> None:
        """End it with everything it started."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    # ---- how

    async def _exchange(self, asked: JsonObject) -> JsonObject:
        """Say one line and read one. A browser that is gone says so."""
        if self._answers is None or self._asks is None:
            raise ToolError(f"The browser does not start: {await self._why()}")
        try:
            self._asks.write(json.dumps(asked).encode() + b"\n")
            await self._asks.drain()
            answer = json.loads(await self._answers.readuntil())
        except (ConnectionError, asyncio.IncompleteReadError):
            raise ToolError(f"The browser has ended: {await self._why()}. Navigate again.") from None
        except (ValueError, asyncio.LimitOverrunError):
            await self.end()
            raise ToolError("The browser gave no proper answer, and was closed. Navigate again.") from None
        if not isinstance(answer, dict) or "gave" not in answer:
            said = cast("JsonObject", answer).get("error", "") if isinstance(answer, dict) else ""
            raise ToolError(str(said)[:2_000] or "The browser gave no proper answer.")
        return cast("JsonObject", answer["gave"])

    async def _run(self, connected: "asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]") -> Result:
        """Be the browser: its sockets, its folder, its walls, from its start to the end of all of it."""

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if connected.done():
                writer.close()
            else:
                connected.set_result((reader, writer))

        folder = await asyncio.to_thread(_make_folder, self._found.site)
        try:
            listener = await asyncio.start_unix_server(talk, str(folder / "door" / "talk"), limit=_LONGEST_ANSWER)
            await asyncio.to_thread((folder / "door" / "talk").chmod, 0o666)
            await self.way_out.listen(folder / "door" / "web")
            try:
                return await self._sandbox.run(self._spec(folder))
            finally:
                listener.close()
                if not connected.done():
                    connected.cancel()
                elif not connected.cancelled():
                    connected.result()[1].close()
                await self.way_out.close()
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def _spec(self, folder: Path) -> Spec:
        settings = self._settings
        limits = Limits(
            seconds=settings.lifetime_seconds,
            memory=settings.memory,
            cpus=float(os.cpu_count() or 1),
            processes=_PROCESSES,
            output=_OUTPUT,
            disk=settings.disk,
            file_size=min(_FILE, settings.disk),
        )
        return Spec(
            (self._found.interpreter, "-s", "-P", "-B", str(folder / "program" / _HOST.name), str(folder / "door")),
            folder / "work",
            environment={"PYTHONPATH": str(folder / "site")},
            limits=limits,
            readable=(*self._found.readable, folder / "site", folder / "program", folder / "door"),
        )

    def _wanted(self) -> JsonObject:
        settings = self._settings
        walled = settings.sandbox == "bubblewrap"
        given = {
            "accept_downloads": False,
            "service_workers": "block",
            "user_agent": settings.user_agent,
            "viewport": {"width": settings.viewport.width, "height": settings.viewport.height},
            "locale": settings.locale,
            "timezone_id": settings.timezone,
            "extra_http_headers": settings.headers,
        }
        context: JsonObject = {name: value for name, value in given.items() if value not in ("", {})}
        if settings.geolocation:
            latitude, longitude = map(float, settings.geolocation.split(","))
            context["geolocation"] = {"latitude": latitude, "longitude": longitude}
            context["permissions"] = ["geolocation"]
        return {
            "browser": settings.browser,
            "executable": self._found.executable,
            "args": [each for each in settings.args if each != NO_SANDBOX],
            "own_sandbox": not walled and NO_SANDBOX not in settings.args,
            "timeout": settings.timeout_seconds * 1000,
            "context": context,
        }

    async def _why(self) -> str:
        """Why it has ended, in a few words."""
        if self._running is not None:
            await asyncio.wait([self._running], timeout=GRACE)
        if self._running is None or not self._running.done() or self._running.cancelled():
            return "it was closed"
        error = self._running.exception()
        if error is not None:
            if not isinstance(error, SandboxError):
                log.error("a browser failed", exc_info=error)
            return str(error)
        result = self._running.result()
        if result.out_of_memory:
            return "its pages took more memory than tools.browser.memory"
        if result.out_of_disk:
            return "its pages took more disk than tools.browser.disk"
        if result.timed_out:
            return "it was open for tools.browser.lifetime_seconds"
        said = result.stderr.decode(errors="replace").strip().splitlines()
        return said[-1][:300] if said else "it crashed"


def sweep() -> None:
    """Remove the folders that browsers of a Lar that was killed have left behind."""
    for left in Path(tempfile.gettempdir()).glob("lar-browser-*-*"):
        pid = left.name.split("-")[2]
        with suppress(OSError):
            if pid.isdigit() and left.stat(follow_symlinks=False).st_uid == os.geteuid() and not _lives(int(pid)):
                shutil.rmtree(left, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _make_folder(site: Path) -> Path:
    """A folder of its own: its work, its sockets, and what it reads under names that are free behind walls."""
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}-"))
    for name in ("work", "door"):
        (folder / name).mkdir(mode=0o755)
    (folder / "work").chmod(0o700)
    (folder / "site").symlink_to(site)
    (folder / "program").symlink_to(_HOST.parent)
    folder.chmod(0o711)
    return folder
