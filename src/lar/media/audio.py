"""Audio in the formats that models and transcribers take, by ffmpeg."""

import asyncio
from pathlib import Path

from lar.errors import MediaError
from lar.media import programs

_SECONDS = 120.0
_READ = "aac,ac3,aiff,amr,asf,avi,caf,flac,matroska,webm,mov,mp4,m4a,3gp,mp3,ogg,wav,w64,opus"
"""Formats that are one file. Others, such as playlists, may name any file of this machine."""


def ffmpeg(program: str) -> str | None:
    """Where ffmpeg is."""
    return programs.find(program)


async def convert(
    program: str, source: Path, target: Path, *, rate: int = 16_000, codec: str = "", seconds: float = _SECONDS
) -> None:
    """Make a recording a file of one channel, in the format of the target's name (`.wav`, `.mp3`, `.ogg`).

    `codec` is ffmpeg's name of one, empty: the usual one of the format.

    Raises:
        MediaError: it cannot be converted; the text says why.

    """
    found = ffmpeg(program)
    if found is None:
        raise MediaError("unheard", "ffmpeg is not installed (apt install ffmpeg)")
    limits = ("-protocol_whitelist", "file", "-format_whitelist", _READ)
    wanted = ("-map", "0:a:0", "-ac", "1", "-ar", str(rate), "-map_metadata", "-1")
    encoded = ("-c:a", codec) if codec else ()
    quiet = ("-nostdin", "-hide_banner", "-loglevel", "error", "-y")
    ran = await programs.run(
        [found, *quiet, *limits, "-i", f"file:{source}", *wanted, *encoded, f"file:{target}"], seconds
    )
    if ran.status or not await asyncio.to_thread(_filled, target):
        raise MediaError("damaged", "it is damaged, or no recording that is known here")


def _filled(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0
