"""Collects formatted text piece by piece, with the empty space between blocks."""

from lar.channels.telegram.rich import Rich, Span, settle


class Writer:
    """Text under construction. Positions are code points written so far."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._spans: list[Span] = []
        self._gap = 0
        self._held = False
        self._breaks = 0
        self.length = 0
        self.indent = ""

    def gap(self, newlines: int) -> None:
        """At least so many newlines come before what is written next; none right after a list marker."""
        if not self._held:
            self._gap = max(self._gap, newlines)

    def hold(self, held: bool) -> None:
        """Held, what is written next stays on this line, as after a list marker."""
        self._held = held
        if held:
            self._gap = 0

    def write(self, text: str, *, verbatim: bool = False) -> None:
        """Add text. Its lines are indented as the block is, unless `verbatim`."""
        if not text:
            return
        self.start()
        self._held = False
        self._breaks = 0
        self._put(text if verbatim or not self.indent else text.replace("\n", "\n" + self.indent))

    def start(self) -> int:
        """Begin the next line if one is due, and return the position where text goes next."""
        missing = self._gap - self._breaks
        if missing > 0 and self.length:
            self._put("\n" * missing + self.indent)
            self._breaks = self._gap
        self._gap = 0
        return self.length

    def mark(self, start: int, kind: str, *, url: str = "", language: str = "") -> None:
        """Format everything written since `start`."""
        if self.length > start:
            self._spans.append(Span(start, self.length, kind, url, language))

    def since(self, start: int) -> str:
        """What was written since `start`."""
        taken: list[str] = []
        missing = self.length - start
        for piece in reversed(self._pieces):
            if missing <= 0:
                break
            taken.append(piece[-missing:])
            missing -= len(piece)
        return "".join(reversed(taken))

    def finish(self) -> Rich:
        """All of it, with valid spans."""
        return settle("".join(self._pieces), self._spans)

    def _put(self, text: str) -> None:
        self._pieces.append(text)
        self.length += len(text)
