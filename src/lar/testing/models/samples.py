"""Small valid files made on the spot: sounds and a picture, for tests of what handles them."""

import functools
import math
import struct
import zlib

_PNG_HEAD = b"\x89PNG\r\n\x1a\n"


def wav_bytes(seconds: float = 0.5, rate: int = 24000) -> bytes:
    """A 440 Hz tone: RIFF WAVE, 16 bit, mono, `rate` samples per second."""
    angle = 2 * math.pi * 440 / rate
    sound = b"".join(struct.pack("<h", int(8000 * math.sin(angle * i))) for i in range(int(seconds * rate)))
    layout = struct.pack("<IHHIIHH", 16, 1, 1, rate, rate * 2, 2, 16)
    size = struct.pack("<I", 36 + len(sound))
    return b"RIFF" + size + b"WAVEfmt " + layout + b"data" + struct.pack("<I", len(sound)) + sound


def mp3_bytes(frames: int = 20) -> bytes:
    """Silence: MPEG-1 layer III, 128 kbit/s, 44.1 kHz, mono; a frame is 26 ms."""
    return (b"\xff\xfb\x90\xc0" + bytes(413)) * frames


@functools.cache
def _ogg_table() -> list[int]:
    table: list[int] = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ 0x04C11DB7 if value & 0x80000000 else value << 1
        table.append(value & 0xFFFFFFFF)
    return table


def _ogg_page(number: int, flags: int, granule: int, bodies: list[bytes]) -> bytes:
    head = b"OggS" + struct.pack("<BBqIII", 0, flags, granule, 0x51AD, number, 0)
    raw = head + bytes([len(bodies)]) + bytes(len(body) for body in bodies) + b"".join(bodies)
    crc, table = 0, _ogg_table()
    for byte in raw:
        crc = ((crc << 8) & 0xFFFFFFFF) ^ table[(crc >> 24) ^ byte]
    return raw[:22] + struct.pack("<I", crc) + raw[26:]


def ogg_opus_bytes(packets: int = 25) -> bytes:
    """Silence: Opus in Ogg, as Telegram's voice messages; a packet is 20 ms."""
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 312, 48000, 0, 0)
    tags = b"OpusTags" + struct.pack("<I", 3) + b"sim" + struct.pack("<I", 0)
    sound = _ogg_page(2, 4, 960 * packets, [b"\xf8\xff\xfe"] * packets)
    return _ogg_page(0, 2, 0, [head]) + _ogg_page(1, 0, 0, [tags]) + sound


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bytes(width: int = 64, height: int = 64, rgb: tuple[int, int, int] = (200, 30, 30)) -> bytes:
    """A picture of one colour, `width` by `height` pixels."""
    row = b"\0" + bytes(rgb) * width
    layout = _png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return _PNG_HEAD + layout + _png_chunk(b"IDAT", zlib.compress(row * height)) + _png_chunk(b"IEND", b"")
