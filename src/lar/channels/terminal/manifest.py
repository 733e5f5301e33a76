"""What the terminal can do, and how a reply looks there: as the Markdown it is."""

from lar.channels.contract import Capabilities, Manifest, Rendered
from lar.domain.delivery import Part

NAME = "terminal"
ACCOUNT = "local"

EMPTY_ANSWER = "(empty answer)"

MAX_PART = 100_000
"""Characters one frame carries at most."""


def render(markdown: str) -> Rendered:
    """The text as it is, cut after a line end where possible; only empty stretches are left out."""
    parts: list[Part] = []
    rest = markdown
    while rest:
        end = len(rest) if len(rest) <= MAX_PART else rest.rfind("\n", 0, MAX_PART) + 1 or MAX_PART
        if rest[:end].strip():
            parts.append(Part(rest[:end]))
        rest = rest[end:]
    return Rendered(tuple(parts) or (Part(EMPTY_ANSWER),))


MANIFEST = Manifest(NAME, Capabilities(typing=True, preview=True, max_upload=1_000_000_000_000, max_download=0), render)
"""Files are shown by their path: whoever holds the token file reads the home folder, too."""
