"""Embeddings without a model."""

import hashlib
import math
import re
import struct


def embed(text: str, dimensions: int) -> list[float]:
    """Hashed bag of words, of length 1: deterministic, and texts that share words are near each other."""
    vector = [0.0] * dimensions
    for word in re.findall(r"\w+", text.lower()) or [""]:
        digest = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big")
        for k in range(4):
            vector[(digest >> (k * 12)) % dimensions] += 1.0 if (digest >> (60 + k)) & 1 else -1.0
    norm = math.sqrt(sum(x * x for x in vector)) or 1.0
    return [x / norm for x in vector]


def packed(vector: list[float]) -> bytes:
    """The vector as little-endian 32-bit floats, as OpenAI sends it in base64."""
    return struct.pack(f"<{len(vector)}f", *vector)
