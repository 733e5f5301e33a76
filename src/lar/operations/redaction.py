"""Take secrets out of text: the configured ones, and whatever looks like one."""

import re
from collections.abc import Iterable
from urllib.parse import quote

MASK = "[secret]"

SHORTEST = 6
"""A configured secret shorter than this is not looked for: it would blank out ordinary words."""

_SHAPES = (
    r"(?<!\d)\d{6,12}:[A-Za-z0-9_-]{30,}",  # a Telegram bot's token
    r"\b(?:sk|pk|rk|gsk)[-_][A-Za-z0-9_-]{16,}",  # keys of model providers
    r"\bAIza[A-Za-z0-9_-]{30,}",  # Google
    r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-)[A-Za-z0-9_-]{16,}",
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",  # a JSON web token
    r"(?<=://)[^/@\s:]*:[^/@\s]+(?=@)",  # user and password of an address
    r"(?i:(?<=bearer )[A-Za-z0-9._~+/=-]{8,})",
)


class Redactor:
    """Replaces secrets in text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {form for secret in secrets if len(secret) >= SHORTEST for form in (secret, quote(secret, safe=""))}
        longest_first = sorted(known, key=len, reverse=True)
        self._pattern = re.compile("|".join((*map(re.escape, longest_first), *_SHAPES)))

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        return self._pattern.sub(MASK, text)
