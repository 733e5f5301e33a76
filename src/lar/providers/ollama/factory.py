"""The door to Ollama: imports nothing of it until a model is asked for."""

from lar.providers.keyed import Client, KeyedFactory
from lar.providers.settings import ProviderSettings


class OllamaFactory(KeyedFactory):
    """Models of one provider that speaks this API. A `ModelFactory`."""

    def __init__(self, name: str, settings: ProviderSettings) -> None:
        super().__init__(name, settings, _connect)


def _connect(name: str, settings: ProviderSettings, key: str) -> Client:
    from lar.providers.ollama.client import connect

    return connect(name, settings, key)
