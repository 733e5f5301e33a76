"""An image made fit for a model. A program of its own, so that one that is a trap can be killed with it.

It reads an image from its input; its arguments are the longest side in pixels and the most bytes. It writes a line of
JSON, and behind it the image: nothing where it may stay as it is. It imports nothing of Lar, which is not on its path.
"""

import io
import json
import resource
import sys
import warnings
from contextlib import suppress
from importlib import import_module
from typing import Any, BinaryIO

from PIL import Image, ImageOps

SECONDS, MEMORY = 30, 1 << 30
"""Limits of the program: processor time, bytes of memory."""

MOST_PIXELS = 100_000_000
"""More are not unpacked."""

AS_IT_IS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
"""Formats that every model takes."""

_ORIENTATION = 0x0112
_QUALITY = 85
_SMALLER = 0.7


def fit(source: BinaryIO, size: int, side: int, most: int) -> tuple[dict[str, Any], bytes]:
    """What was found, and the image that is to be shown. `size` is that of the source in bytes."""
    head = source.read(12)
    source.seek(0)
    if head[4:8] == b"ftyp":
        with suppress(ImportError):  # an extra: without it such an image is not known
            import_module("pillow_heif").register_heif_opener()
    with Image.open(source) as image:
        width, height = image.size
        found = {"width": width, "height": height}
        if width * height > MOST_PIXELS:
            return {**found, "problem": "large"}, b""
        upright = image.getexif().get(_ORIENTATION, 1) == 1
        still = not getattr(image, "is_animated", False)
        mime = AS_IT_IS.get(image.format or "")
        if mime and upright and still and max(width, height) <= side and size <= most and image.mode != "CMYK":
            image.load()
            return {**found, "mime": mime}, b""
        image.draft("RGB", (side, side))
        return _made_anew(ImageOps.exif_transpose(image), side, most, found)


def _made_anew(image: Image.Image, side: int, most: int, found: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    clear = image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info
    plain = image.convert("RGBA" if clear else "RGB")
    while True:
        plain.thumbnail((side, side), Image.Resampling.LANCZOS)
        written = io.BytesIO()
        if clear:
            plain.save(written, "PNG", optimize=True)
        else:
            plain.save(written, "JPEG", quality=_QUALITY)
        if written.tell() <= most:
            size = {"shown_width": plain.width, "shown_height": plain.height}
            return {**found, **size, "mime": "image/png" if clear else "image/jpeg"}, written.getvalue()
        side = int(max(plain.size) * _SMALLER)


def main() -> None:
    """Make the image on the input fit."""
    for limit, value in ((resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_AS, MEMORY)):
        with suppress(ValueError, OSError):  # some systems do not limit memory
            resource.setrlimit(limit, (value, value))
    Image.MAX_IMAGE_PIXELS = None  # it is looked at above
    warnings.simplefilter("ignore")
    data = sys.stdin.buffer.read()
    found, image = fit(io.BytesIO(data), len(data), int(sys.argv[1]), int(sys.argv[2]))
    sys.stdout.buffer.write(json.dumps(found).encode() + b"\n" + image)


if __name__ == "__main__":
    main()
