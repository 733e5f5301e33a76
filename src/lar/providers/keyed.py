"""What the factories of all providers have in common: one client per key, opened at its first use."""

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from lar.errors import ConfigError, MissingComponent
from lar.providers.capabilities import taken_by
from lar.providers.contract import Input, Parameters, Vendor
from lar.providers.settings import USUAL, ProviderKind, ProviderSettings

if TYPE_CHECKING:
    from pydantic_ai.models import Model

_ENDING = 4
"""How many characters of a key are shown to tell it from others; a key is shown only if it is far longer."""


_BILLS: Mapping[ProviderKind, str] = {
    "openai": "openai",
    "openai_responses": "openai",
    "openrouter": "openrouter",
    "google": "google",
    "groq": "groq",
    "anthropic": "anthropic",
    "ollama": "home",
}


class Client(Protocol):
    """Connections made with one key."""

    async def close(self) -> None:
        """Give them back."""
        ...

    def model(self, name: str, parameters: Parameters, /) -> "Model":
        """The model of this name over these connections."""
        ...


OpenClient = Callable[[str, ProviderSettings, str], Client]
"""Opens a client of the provider of this name and these settings, with this key; imports the SDK."""


class KeyedFactory:
    """Models of one provider. All that are asked with the same key share its connections. A `ModelFactory`.

    `extra` is the extra that installs the SDK, empty where it is always there.
    """

    def __init__(self, name: str, settings: ProviderSettings, opening: OpenClient, extra: str = "") -> None:
        self._name = name
        self._settings = settings
        self._open = opening
        self._extra = extra
        self._clients: dict[int, Client] = {}
        self._opening = threading.Lock()

    @property
    def endings(self) -> tuple[str, ...]:
        """The last characters of each key."""
        return tuple(key[-_ENDING:] if len(key) >= 3 * _ENDING else "" for key in self._settings.keys) or ("",)

    @property
    def vendor(self) -> Vendor:
        """Who sends the bill. A server that merely speaks OpenAI's API is not OpenAI."""
        settings = self._settings
        others = settings.kind in {"openai", "openai_responses"} and settings.base_url and self._name != "openai"
        return Vendor("" if others else _BILLS[settings.kind], settings.address)

    def __call__(self, model: str, parameters: Parameters, /, key: int = 0) -> "Model":
        """The model of this name; see `ModelFactory`."""
        with self._opening:
            if key not in self._clients:
                self._clients[key] = self._opened(self._key(key))
        return self._clients[key].model(model, parameters)

    def takes(self, model: str, /) -> frozenset[Input]:
        """What a model of this name may be given besides text."""
        return taken_by(self._settings.kind, model)

    async def close(self) -> None:
        """Close the connections of all keys."""
        while self._clients:
            await self._clients.popitem()[1].close()

    def _opened(self, key: str) -> Client:
        try:
            return self._open(self._name, self._settings, key)
        except ImportError as error:
            if not self._extra:
                raise
            raise MissingComponent(
                f"providers.{self._name} needs the package of {self._settings.kind}, which is not installed: "
                f"pip install 'lar[{self._extra}]'"
            ) from error

    def _key(self, number: int) -> str:
        if self._settings.keys:
            return self._settings.keys[number]
        if self._settings.usable:
            return ""
        usual = USUAL.get(self._name)
        remedy = f"set {usual.variable} or providers.{self._name}.api_key" if usual else "set it"
        raise ConfigError(f"providers.{self._name}: no api_key is set; {remedy}")
