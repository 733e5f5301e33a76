"""Links: which addresses Telegram links to, and how the others are shown."""

import re
from urllib.parse import urlsplit

from lar.channels.telegram.writer import Writer

_LONGEST = 2048
_PLAIN_SCHEMES = ("mailto:", "tel:")
_HOST = re.compile(r"\[[0-9a-fA-F:.]+\]|[^\s/?#]+\.[^\s/?#]+")


def close(out: Writer, start: int, address: str) -> None:
    """End the link whose label was written since `start`: link it, or write the address behind it."""
    label = out.since(start)
    if not label.strip():
        out.write(address)
        label = address
    if _can_link(address):
        out.mark(start, "text_link", url=address)
        return
    shown = address.removeprefix("mailto:").removeprefix("tel:")
    if shown and shown not in label and not address.startswith("data:"):
        out.write(f" ({shown[:_LONGEST]})")


def _can_link(address: str) -> bool:
    """Whether the server keeps the link; it drops others (relative ones, hosts without a dot) without a word."""
    if len(address) > _LONGEST or address.startswith(_PLAIN_SCHEMES):
        return False
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    if parts.scheme == "tg":
        return bool(parts.netloc)
    return parts.scheme in {"http", "https"} and bool(_HOST.fullmatch(parts.netloc.rpartition("@")[2]))
