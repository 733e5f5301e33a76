"""What Telegram is, as data; imports no Telegram library."""

from functools import partial

from lar.channels.contract import Capabilities, Manifest
from lar.channels.telegram.markdown import render
from lar.channels.telegram.settings import TelegramSettings

NAME = "telegram"
MAX_UPLOAD = 50 * 1024 * 1024
"""Bytes a bot may send in one file."""
MAX_PHOTO = 10 * 1024 * 1024
"""Bytes of a picture sent as a photo; larger ones go as documents."""


def manifest(settings: TelegramSettings) -> Manifest:
    """Telegram's manifest with these settings."""
    return Manifest(
        name=NAME,
        capabilities=Capabilities(
            edit=True,
            buttons=True,
            threads=True,
            typing=settings.typing,
            preview=settings.preview,
            voice=True,
            max_upload=MAX_UPLOAD,
            max_download=int(settings.max_download_bytes),
        ),
        render=partial(render, file_threshold=settings.file_threshold_chars),
    )
