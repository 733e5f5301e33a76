"""Images, as models take them: upright, not too large, and known to be whole."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from lar.errors import MediaError
from lar.media import programs

_PROGRAM = Path(__file__).with_name("image_program.py")
_SECONDS = 40.0

_HEIF = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"heim", b"heis")
_BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")


@dataclass(frozen=True, slots=True)
class Fitted:
    """An image to show. `data` is empty where the file may stay as it is; sizes are in pixels."""

    mime: str
    width: int
    height: int
    data: bytes = b""
    shown_width: int = 0
    shown_height: int = 0


def is_image(head: bytes) -> bool:
    """Whether a file begins (32 bytes are enough) like an image, whatever it is called."""
    if (head[:4] == b"RIFF" and head[8:12] == b"WEBP") or (head[:2] == b"BM" and head[6:10] == bytes(4)):
        return True
    return head.startswith(_BEGINNINGS) or _brand(head) in {*_HEIF, b"avif", b"avis"}


def _brand(head: bytes) -> bytes:
    return head[8:12] if head[4:8] == b"ftyp" else b""


async def fit(source: BinaryIO, side: int, most: int) -> Fitted:
    """Make an image fit: its longest side has at most so many pixels, and it at most so many bytes.

    Raises:
        MediaError: it cannot be looked at; the text says why.

    """
    head = source.read(32)
    source.seek(0)
    argv = [sys.executable, "-I", str(_PROGRAM), str(side), str(most)]
    ran = await programs.run(argv, _SECONDS, source=source)
    if ran.status:
        if "MemoryError" in ran.errors:
            raise MediaError("failed", "it needs more memory than it may take")
        if _brand(head) in _HEIF and "UnidentifiedImageError" in ran.errors:
            raise MediaError("unsupported", "HEIC images need a part that is not installed: pip install 'lar[heif]'")
        raise MediaError("damaged", "it is damaged, or no image that is known here")
    line, _, data = ran.output.partition(b"\n")
    found: dict[str, Any] = json.loads(line)
    if "problem" in found:
        pixels = f"{found['width']} x {found['height']} pixels"
        raise MediaError("too_large", f"it has {pixels}, more than can be unpacked")
    return Fitted(data=data, **found)
