"""What a browser says of its page. It comes from where strangers' code runs: read carefully, shown in single lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urldefrag

from pydantic import BaseModel, Field, ValidationError
from yarl import URL

from lar.domain.values import JsonObject
from lar.errors import ToolError

_PLAIN_LINKS = ("http://", "https://")
_MARKED = {"checkbox", "radio", "switch", "menuitemcheckbox", "menuitemradio"}
_LONGEST_LABEL = 100


class Element(BaseModel):
    """What can be used on a page. `host` is that of the frame it is in; `action` is where its form sends."""

    role: str = Field(max_length=40)
    ref: str = Field(pattern=r"^\w{1,20}$")
    kind: str = Field(default="", max_length=40)
    host: str = Field(default="", max_length=300)
    label: str = Field(default="", max_length=300)
    value: str = Field(default="", max_length=300)
    href: str = ""
    action: str = ""
    form: bool = False
    checked: bool = False
    disabled: bool = False
    options: list[str] = []

    @property
    def link(self) -> str:
        """The web address it leads to, if that is all it does."""
        return self.href if self.role == "link" and self.href.startswith(_PLAIN_LINKS) else ""

    @property
    def name(self) -> str:
        """As people and models are told of it."""
        label = " ".join(self.label.split())[:_LONGEST_LABEL]
        kind = self.kind if self.kind == "password" else self.role
        return f'{kind} "{label}"' if label else kind

    def line(self, page: str) -> str:
        """It in one line; `page` is the page's own host."""
        parts = [self.ref, self.name]
        if self.role in _MARKED:
            parts.append("(checked)" if self.checked else "(not checked)")
        if self.value and self.role not in _MARKED:
            parts.append(f"= {' '.join(self.value.split())[:_LONGEST_LABEL]}")
        if self.options:
            parts.append(f"[{' | '.join(' '.join(option.split()) for option in self.options)}]")
        if self.link:
            parts.append(f"-> {self.link[:500]}")
        if self.disabled:
            parts.append("(disabled)")
        if self.host and self.host != page:
            parts.append(f"(in a frame of {self.host})")
        return " ".join(parts)


class Look(BaseModel):
    """A page as it was seen."""

    url: str = Field(max_length=2_000_000)
    title: str = ""
    status: int = 0
    html: str = ""
    links: list[str] = []
    elements: list[Element] = []
    notes: list[str] = []
    pages: int = 1

    @property
    def host(self) -> str:
        """Whose page it is."""
        return host_of(self.url)

    def element(self, ref: str) -> Element | None:
        """What has this reference."""
        return next((each for each in self.elements if each.ref == ref), None)


def read_look(said: JsonObject) -> Look:
    """What the browser said.

    Raises:
        ToolError: that is nothing a browser of ours says.

    """
    try:
        return Look.model_validate(said)
    except ValidationError as error:
        raise ToolError("The browser gave no proper answer.") from error


def host_of(url: str) -> str:
    """The host, with a port that is not the usual one; what has none is `a page of its own`."""
    try:
        read = URL(url)
    except ValueError:
        return "an odd address"
    return (read.authority if read.explicit_port else read.raw_host) or "a page of its own"


def bare(url: str) -> str:
    """An address without the part that names a place on its page."""
    return urldefrag(url).url


@dataclass(frozen=True, slots=True)
class Listing:
    """The elements of a page in lines, of which at most so many are shown."""

    look: Look
    most: int

    def text(self, *, links: bool = False) -> str:
        """Fields and buttons, and if wanted plain links, too, which the text of a page has as well."""
        wanted = [each for each in self.look.elements if links or not each.link]
        if not wanted:
            return ""
        lines = [each.line(self.look.host) for each in wanted[: self.most]]
        if len(wanted) > self.most:
            lines.append(f"[{len(wanted) - self.most} more were left out]")
        return "\n".join(["Fields and buttons:" if not links else "Links, fields and buttons:", *lines])


def cut(text: str, offset: int, most: int) -> str:
    """A part of a text, saying how it goes on."""
    part = text[offset : offset + most]
    left = len(text) - offset - len(part)
    return f"{part}\n[{left} more characters: browser_get_data with offset {offset + len(part)}]" if left > 0 else part


def lines(parts: Sequence[str]) -> str:
    """Those that say something, one below the other."""
    return "\n\n".join(part for part in parts if part)
