"""Files as people send them, made on the spot."""

import io
import struct
import subprocess
import zipfile
import zlib
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps


def picture(kind: str = "JPEG", size: tuple[int, int] = (640, 480), mode: str = "RGB", **more: Any) -> bytes:
    """An image with a gradient in it."""
    image = ImageOps.fit(Image.linear_gradient("L"), size).convert(mode)
    written = io.BytesIO()
    image.save(written, kind, **more)
    return written.getvalue()


def bomb(side: int) -> bytes:
    """A PNG of a few bytes that says it is as wide and as high as this."""
    head = b"IHDR" + struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(1000))
    chunks = (head, data, b"IEND")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


def rotated() -> bytes:
    """A photo that was taken with the camera held sideways: its left half is black when it is turned upright."""
    image = Image.new("RGB", (200, 100), "white")
    image.paste("black", (0, 50, 200, 100))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it a quarter to the right to see it upright
    written = io.BytesIO()
    image.save(written, "JPEG", exif=exif)
    return written.getvalue()


def pdf(*pages: str) -> bytes:
    """A PDF with a line of text on every page, as plain as the format allows."""
    objects: list[bytes] = [b"<< /Type /Catalog /Pages 2 0 R >>"]
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode())
    objects.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    for number, text in enumerate(pages):
        content = f"BT /F1 24 Tf 72 720 Td ({text}) Tj ET".encode()
        page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Contents"
        objects.append(f"{page} {5 + 2 * number} 0 R >>".encode())
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    return _laid_out(objects)


def _laid_out(objects: list[bytes]) -> bytes:
    out, places = b"%PDF-1.4\n", list[int]()
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    table += b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(out))
    return out + table + trailer


def archive(**parts: str) -> bytes:
    """An office document of these parts; two underlines in a name stand for a slash, one for a dot."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in parts.items():
            packed.writestr(name.replace("__", "/").replace("_", "."), text)
    return written.getvalue()


_W = 'xmlns:w="urn:w"'


def docx(*paragraphs: str) -> bytes:
    """A Word document, with a table behind its paragraphs."""
    said = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    cells = "".join(f"<w:tc><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:tc>" for text in ("left", "right"))
    body = f"{said}<w:p><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t></w:r></w:p>"
    return archive(
        word__document_xml=f"<w:document {_W}><w:body>{body}<w:tbl><w:tr>{cells}</w:tr></w:tbl></w:body></w:document>"
    )


def spoken(text: str, folder: Path, name: str = "voice.oga") -> bytes:
    """A voice note as Telegram sends it: Opus in Ogg, spoken by espeak-ng."""
    wave, note = folder / "said.wav", folder / name
    say = ["espeak-ng", "-v", "en", "-w", str(wave), text]
    subprocess.run(say, check=True, capture_output=True)  # noqa: S603  # the words are ours
    encode = ["ffmpeg", "-loglevel", "error", "-y", "-i", str(wave), "-c:a", "libopus", "-b:a", "24k", str(note)]
    subprocess.run(encode, check=True, capture_output=True)  # noqa: S603  # the words are ours
    return note.read_bytes()
