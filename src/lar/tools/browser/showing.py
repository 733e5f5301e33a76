"""A page as a model is shown it."""

import asyncio

from lar.errors import ToolError
from lar.tools.browser.seen import Listing, Look, bare, cut, lines
from lar.tools.browser.session import Session, Text
from lar.tools.browser.settings import BrowserSettings
from lar.tools.browser.way_out import REFUSED
from lar.tools.contract import ToolResult
from lar.tools.readable import page_text

_LONGEST_TEXT, _LONGEST_URL, _LONGEST_NOTE = 500_000, 2_000, 500
_NO_CHARACTERS = str.maketrans({"\0": "\ufffd"})


class Shower:
    """Makes results of looks."""

    def __init__(self, settings: BrowserSettings) -> None:
        self._settings = settings

    async def page(self, session: Session, look: Look) -> ToolResult:
        """Its address, its text, and what can be done on it.

        Raises:
            ToolError: it is not there, as the guard refused it.

        """
        if look.status == REFUSED:
            raise ToolError(self.refusal(session, f"{look.url[:_LONGEST_URL]} was not opened."), source=session.source)
        text = cut(await self._read(session, look), 0, self._settings.max_chars)
        return self._result(session, lines([self._head(session, look), text, self._listing(look)]))

    def elements(self, session: Session, look: Look) -> ToolResult:
        """Its address, and everything that can be followed, filled in or pressed."""
        return self._result(session, lines([self._head(session, look), self._listing(look, links=True)]))

    async def text(self, session: Session, look: Look, offset: int, *, raw: bool) -> ToolResult:
        """A part of its text, or of its HTML."""
        text = look.html if raw else await self._read(session, look)
        return self._result(session, lines([self._head(session, look), cut(text, offset, self._settings.max_chars)]))

    def fresh(self, session: Session) -> bool:
        """Whether what was read of the page still stands for it."""
        age = asyncio.get_running_loop().time() - session.text.at
        return bool(session.text.url) and age <= self._settings.snapshot_seconds

    def capped(self, text: str) -> str:
        """A text, or what may be shown of it."""
        most = self._settings.max_chars
        return text if len(text) <= most else f"{text[:most]}\n[Cut off here: the text goes on.]"

    def refusal(self, session: Session, error: str) -> str:
        """An error, with what the guard refused meanwhile."""
        refused = session.way_out.refusals
        said = f"{error}\nRefused: {refused[0]}" if refused else error
        refused.clear()
        return said

    def _result(self, session: Session, text: str) -> ToolResult:
        return ToolResult(text.translate(_NO_CHARACTERS), source=session.source)

    def _head(self, session: Session, look: Look) -> str:
        status = f"{look.status} " if look.status else ""
        notes = [f"[{' '.join(note.split())[:_LONGEST_NOTE]}]" for note in look.notes]
        refused = session.way_out.refusals
        if refused:
            more = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
            notes.append(f"[Not loaded: {refused[0]}{more}]")
        session.way_out.refusals = []
        return "\n".join([f"{status}{look.url[:_LONGEST_URL]}", *notes])

    def _listing(self, look: Look, *, links: bool = False) -> str:
        return Listing(look, self._settings.max_elements).text(links=links)

    async def _read(self, session: Session, look: Look) -> str:
        """The text of the page, read once a look."""
        if session.text.url != bare(look.url) or session.seen is not look:
            text = look.html
            if self._settings.postprocess_outputs:
                converted = await page_text(look.html, look.url, _LONGEST_TEXT)
                text = converted if converted is not None else f"[This page could not be made readable.]\n{look.html}"
            session.text = Text(bare(look.url), text, asyncio.get_running_loop().time())
        return session.text.text
