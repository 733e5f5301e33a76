"""The open browsers: one for each person and conversation, few at a time, closed when nobody uses them."""

import asyncio

from lar.domain.ids import ConversationId, PrincipalId
from lar.errors import MissingComponent, ToolError
from lar.sandboxes.bubblewrap import Bubblewrap
from lar.sandboxes.contract import Sandbox
from lar.sandboxes.limits import Local
from lar.tools.browser import session as sessions
from lar.tools.browser.finding import find
from lar.tools.browser.seen import Look
from lar.tools.browser.session import Session
from lar.tools.browser.settings import BrowserSettings
from lar.tools.browser.way_out import Limits, WayOut
from lar.tools.contract import ToolContext
from lar.tools.outside import Outside

Key = tuple[PrincipalId, ConversationId]
NO_PAGE = "No page is open. Open one with browser_navigate."


class Browsers:
    """All browsers of this process. Whose one is, is told by who asks and in which conversation."""

    def __init__(self, settings: BrowserSettings, outside: Outside, sandbox: Sandbox | None = None) -> None:
        self.settings = settings
        self.outside = outside
        self._given = sandbox
        self._walls: Sandbox | None = None
        self._open: dict[Key, Session] = {}
        self._own: dict[Key, tuple[str, int] | None] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._starting = asyncio.Lock()

    @property
    def missing(self) -> str:
        """Why there can be no browser, and what to do; empty where there can be one."""
        try:
            find(self.settings)
        except MissingComponent as error:
            return str(error)
        return ""

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._open)

    @property
    def busy(self) -> int:
        """How many of them are doing something now."""
        return sum(session.busy for session in self._open.values())

    def seen(self, context: ToolContext) -> tuple[Session, Look] | None:
        """The session that is open here and the page it shows."""
        session = self._open.get(_key(context))
        return (session, session.seen) if session and session.seen and not session.over else None

    async def current(self, context: ToolContext) -> tuple[Session, Look]:
        """As `seen`, for use.

        Raises:
            ToolError: no page is open.

        """
        found = self.seen(context)
        if found is None:
            await self.close_one(context)
            raise ToolError(NO_PAGE)
        self._used(_key(context))
        return found

    async def for_address(self, context: ToolContext, host: str, port: int) -> Session:
        """A session that may go there: the one that is open, or a new one.

        A browser sees either what is public or one service of the owner's: no page outside ever acts on one inside.

        Raises:
            ToolError: there can be none now.

        """
        key = _key(context)
        inside = (await self.outside.resolve(host, port)).inside
        only = (host, port) if inside else None
        async with self._starting:
            session = self._open.get(key)
            if session is not None and (session.over or self._own[key] != only):
                await self._close(key)
                session = None
            if session is None:
                session = await self._start(key, only)
        self._used(key)
        return session

    async def close_one(self, context: ToolContext) -> bool:
        """End the one of this person and conversation; whether there was one."""
        return await self._close(_key(context))

    async def stop(self) -> None:
        """End all of them."""
        ended = [self._close(key) for key in tuple(self._open)]
        await asyncio.gather(*ended, *self._ending)

    # ---- how

    async def _start(self, key: Key, only: tuple[str, int] | None) -> Session:
        await self._make_room()
        settings = self.settings
        try:
            found, walls = find(settings), await self._tried()
        except MissingComponent as error:
            raise ToolError(f"There is no browser here: {error}.") from None
        limits = Limits(() if only else settings.allowed_domains, settings.allow_http or only is not None, only)
        session = Session(found, settings, walls, WayOut(self.outside, limits))
        self._open[key], self._own[key] = session, only
        try:
            await session.start()
        except BaseException:
            self._open.pop(key, None)
            raise
        return session

    async def _tried(self) -> Sandbox:
        """The walls, tried when they are first needed."""
        if self._walls is None:
            walls = self._given or (Bubblewrap() if self.settings.sandbox == "bubblewrap" else Local("basic"))
            check = await walls.check()
            if not check.works:
                more = "".join(f"; {what}: {how}" for what, how in check.lacks)
                raise MissingComponent(f"the walls around it do not stand ({check.detail}{more})")
            await asyncio.to_thread(sessions.sweep)
            self._walls = walls
        return self._walls

    async def _make_room(self) -> None:
        """Close what is not used, the longest unused first, until there is room for one more."""
        for key in [key for key, session in self._open.items() if session.over]:
            await self._close(key)
        idle = [key for key in self._open if not self._open[key].busy]  # in the order of their last use
        while len(self._open) >= self.settings.max_sessions:
            if not idle:
                raise ToolError("All browsers are in use now (tools.browser.max_sessions). Try again later.")
            await self._close(idle.pop(0))

    def _used(self, key: Key) -> None:
        self._open[key] = self._open.pop(key)
        self._look_again(key, self.settings.session_seconds)

    def _look_again(self, key: Key, seconds: float) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        self._timers[key] = asyncio.get_running_loop().call_later(seconds, self._expire, key)

    def _expire(self, key: Key) -> None:
        """Close it if nobody has used it for long enough."""
        session, limit = self._open.get(key), self.settings.session_seconds
        if session is None:
            return
        left = limit if session.busy else session.last + limit - asyncio.get_running_loop().time()
        if left > 0:
            self._look_again(key, left)
            return
        task = asyncio.ensure_future(self._end(key))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, key: Key) -> None:
        await self._close(key)

    async def _close(self, key: Key) -> bool:
        session = self._open.pop(key, None)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if session is None:
            return False
        await session.end()
        return True


def _key(context: ToolContext) -> Key:
    return context.principal.id, context.conversation_id
