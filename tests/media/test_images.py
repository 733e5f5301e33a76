"""Images are made fit for a model, in a process of their own."""

import asyncio
import importlib
import importlib.util
import io
from pathlib import Path

import pytest
from PIL import Image

from ground import Require
from lar.errors import MediaError
from lar.media.image_program import MOST_PIXELS
from lar.media.image_program import fit as fit_here
from lar.media.images import Fitted, fit, is_image
from media_samples import bomb, picture, rotated

SIDE, MOST = 512, 100_000


async def fitted(path: Path, data: bytes, side: int = SIDE, most: int = MOST) -> Fitted:
    """An image, made fit."""
    with await asyncio.to_thread(path.open, "w+b") as file:
        file.write(data)
        file.seek(0)
        return await fit(file, side, most)


def opened(found: Fitted) -> "Image.Image":
    """What would be shown."""
    return Image.open(io.BytesIO(found.data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_what_fits_stays_as_it_is(tmp_path: Path, kind: str) -> None:
    """R-LM-4: an image that every model takes is not touched."""
    found = await fitted(tmp_path / "a", picture(kind, (300, 200)))
    assert found == Fitted(f"image/{kind.lower()}", 300, 200)


@pytest.mark.parametrize(
    ("kind", "mode", "mime"),
    [
        ("JPEG", "RGB", "image/jpeg"),
        ("JPEG", "CMYK", "image/jpeg"),
        ("PNG", "RGBA", "image/png"),
        ("GIF", "P", "image/jpeg"),
        ("BMP", "RGB", "image/jpeg"),
        ("TIFF", "I;16", "image/jpeg"),
        ("AVIF", "RGB", "image/jpeg"),
    ],
)
async def test_large_and_unusual_ones_are_made_anew(tmp_path: Path, kind: str, mode: str, mime: str) -> None:
    """R-LM-4: large images are scaled down, unusual ones become what every model takes, transparency stays."""
    data = picture(kind, (1600, 800), mode)
    assert is_image(data[:32])
    found = await fitted(tmp_path / "a", data)
    assert (found.mime, found.width, found.height) == (mime, 1600, 800)
    assert (found.shown_width, found.shown_height) == (512, 256)
    assert opened(found).size == (512, 256)
    assert opened(found).mode == ("RGBA" if mode == "RGBA" else "RGB")
    assert len(found.data) <= MOST


async def test_bytes_count_too(tmp_path: Path) -> None:
    """R-LM-4: an image of few pixels and many bytes is scaled down until it fits."""
    noise = Image.effect_noise((1000, 1000), 100).convert("RGB")
    written = io.BytesIO()
    noise.save(written, "PNG")
    found = await fitted(tmp_path / "a", written.getvalue(), side=2048)
    assert len(written.getvalue()) > MOST >= len(found.data) > 0


async def test_it_is_upright(tmp_path: Path) -> None:
    """R-LM-4: a photo that says how it was held is shown upright."""
    found = await fitted(tmp_path / "a", rotated())
    assert (found.shown_width, found.shown_height) == (100, 200)
    upright = opened(found).convert("L")
    assert (upright.getpixel((10, 100)), upright.getpixel((90, 100))) == (0, 255)


async def test_an_animation_is_its_first_picture(tmp_path: Path) -> None:
    """R-LM-4: of a moving image the first picture is shown."""
    pictures = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    written = io.BytesIO()
    pictures[0].save(written, "WEBP", save_all=True, append_images=pictures[1:])
    found = await fitted(tmp_path / "a", written.getvalue())
    assert found.mime == "image/jpeg"
    assert opened(found).convert("L").getpixel((9, 9)) == 76  # red, not blue


@pytest.mark.parametrize(
    "data", [b"\xff\xd8\xff no photo", picture()[:2000], b"\x89PNG\r\n\x1a\n"], ids=["no", "half", "head"]
)
async def test_damaged_ones_are_explained(tmp_path: Path, data: bytes) -> None:
    """R-LM-4: what is no image, or half of one, ends in a sentence."""
    with pytest.raises(MediaError, match="damaged") as caught:
        await fitted(tmp_path / "a", data)
    assert caught.value.kind == "damaged"


async def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """R-LM-4: a small file of very many pixels is refused by its size, before a byte of it is unpacked."""
    side = int(MOST_PIXELS**0.5) + 1
    data = bomb(side)
    assert len(data) < 200_000
    with pytest.raises(MediaError, match=f"{side} x {side} pixels") as caught:
        await fitted(tmp_path / "a", data)
    assert caught.value.kind == "too_large"


async def test_heic(tmp_path: Path, require: Require) -> None:
    """R-LM-4: photos of iPhones are shown where the part for them is installed; their beginning is known anyway."""
    found = importlib.util.find_spec("pillow_heif") is not None
    require("pillow_heif", "pip install 'lar[heif]'", found=found)
    importlib.import_module("pillow_heif").register_heif_opener()
    data = picture("HEIF", (640, 480))
    assert is_image(data[:32])
    assert (await fitted(tmp_path / "a", data)).mime == "image/jpeg"


async def test_a_broken_heic_is_explained(tmp_path: Path) -> None:
    """R-LM-4: one that cannot be opened says what may be missing."""
    with pytest.raises(MediaError, match=r"HEIC|damaged"):
        await fitted(tmp_path / "a", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic and no more")


def test_the_program_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same inside this process, where its branches are measured."""
    large = picture("JPEG", (900, 600))
    assert fit_here(io.BytesIO(large), len(large), 300, MOST)[0]["shown_width"] == 300
    small = picture("PNG", (90, 60), "RGBA")
    assert fit_here(io.BytesIO(small), len(small), 300, MOST) == ({"width": 90, "height": 60, "mime": "image/png"}, b"")
    assert fit_here(io.BytesIO(small), len(small), 60, MOST)[0]["mime"] == "image/png"
    noise = io.BytesIO()
    Image.effect_noise((400, 400), 90).save(noise, "PNG")
    assert len(fit_here(noise, noise.tell(), 400, 30_000)[1]) <= 30_000
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert fit_here(io.BytesIO(bomb(10_001)), 1, 300, MOST)[0]["problem"] == "large"


@pytest.mark.parametrize("text", [b"BMW is a car", b"hello", b"%PDF-1.4", b"", b"PK\3\4", b"\0\0\0\x18ftypmp42"])
def test_other_files_are_no_images(text: bytes) -> None:
    """Text that begins like a picture's name is still text."""
    assert not is_image(text)
