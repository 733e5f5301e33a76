"""What a call of a browser tool would do, by the page that is open where it is made."""

from collections.abc import Sequence

from yarl import URL

from lar.domain.risk import Deed
from lar.domain.values import JsonObject
from lar.tools.browser.browsers import NO_PAGE, Browsers
from lar.tools.browser.seen import Element, Look, bare, host_of
from lar.tools.contract import Effect, ToolContext
from lar.tools.fetch import SHORT

_LONGEST_VALUE = 300
ENTER = "Enter"
_NOTHING = Effect(Deed.LOOK, NO_PAGE)
"""Without a page nothing happens: the call says so."""


def press_of(press: str) -> Sequence[str]:
    """The reference of the button that is pressed, if it is one."""
    return () if press in {"", ENTER} else (press,)


class Judge:
    """Nothing of ours leaves with a plain address, nor with one that a page itself gave; everything typed does."""

    def __init__(self, browsers: Browsers) -> None:
        self._browsers = browsers

    def navigating(self, context: ToolContext, arguments: JsonObject) -> Effect:
        """Opening an address; a long one that no page gave hands something over, as does one of the owner's own."""
        url = URL(arguments["url"])
        host = url.raw_host or ""
        found = self._browsers.seen(context)
        known = found is not None and bare(arguments["url"]) in found[0].links
        plain = known or len(host) + len(url.raw_path_qs) <= SHORT
        own = self._browsers.outside.own(host, url.port or 0) and not (found and found[1].host == host_of(str(url)))
        deed = Deed.OPEN if plain and not own else Deed.SUBMIT
        return Effect(deed, f"Open in the browser: {url}", host_of(str(url)))

    def clicking(self, context: ToolContext, arguments: JsonObject) -> Effect:
        """A link opens what it names. A button sends its form; outside of one, it may act for whoever has logged in."""
        found = self._browsers.seen(context)
        if found is None:
            return _NOTHING
        session, look = found
        element = look.element(arguments["element"])
        if element is None:
            return Effect(Deed.LOOK, "An element that is not there.")
        if element.link:
            return Effect(Deed.OPEN, f"Click {element.name}: {element.link[:_LONGEST_VALUE]}", host_of(element.link))
        host = _whose(element, look)
        own = self._owned(look)
        harmless = not (element.form or session.used or own)
        return Effect(
            Deed.OPEN if harmless else Deed.SUBMIT, f"Click {element.name} on {host}{_sends(element, host)}", host
        )

    def filling(self, context: ToolContext, arguments: JsonObject) -> Effect:
        """A page sees what is typed while it is typed, so that the filling alone hands it over."""
        found = self._browsers.seen(context)
        if found is None:
            return _NOTHING
        _, look = found
        fields = {ref: look.element(ref) for ref in arguments["fields"]}
        known = {ref: element for ref, element in fields.items() if element is not None}
        if not known:
            return Effect(Deed.LOOK, "Fields that are not there.")
        hosts = sorted({_whose(element, look) for element in known.values()})
        host = " and ".join(hosts)
        said = [f"{element.name}: {_value(arguments['fields'][ref])}" for ref, element in known.items()]
        pressed = arguments["press"]
        button = look.element(pressed)
        last = button or next(reversed(known.values()))
        then = f"\nThen press {button.name if button else pressed}{_sends(last, host)}" if pressed else ""
        return Effect(Deed.SUBMIT, "\n".join([f"Fill in on {host}:", *said]) + then, host)

    def _owned(self, look: Look) -> bool:
        url = URL(look.url) if look.url.startswith(("http://", "https://")) else None
        return url is not None and self._browsers.outside.own(url.raw_host or "", url.port or 0)


def _whose(element: Element, look: Look) -> str:
    """The host of the frame it is in."""
    return element.host or look.host


def _sends(element: Element, host: str) -> str:
    """Where its form goes, if that is elsewhere."""
    target = host_of(element.action) if element.action else host
    return "" if target == host else f", which sends to {target}"


def _value(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}... ({len(text)} characters)"
