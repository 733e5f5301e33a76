"""How much a model takes is known from the price list, where it knows the model."""

from lar.providers.contract import Vendor
from lar.providers.windows import ContextWindows


def test_contexts_are_looked_up() -> None:
    """R-ME-2: known models have their context, unknown ones have none, and nothing is asked outside."""
    windows = ContextWindows()
    assert windows.of("openai:gpt-4o") == 0
    windows.learn(
        {
            "openai:gpt-4o": Vendor("openai"),
            "openai:nobody": Vendor("openai"),
            "mine:gpt-4o": Vendor(),
            "pi:gpt-4o": Vendor("home"),
            "work:gpt-4o": Vendor("openai"),
        }
    )
    assert windows.of("openai:gpt-4o") == windows.of("work:gpt-4o") == 128_000
    assert [windows.of(name) for name in ("openai:nobody", "mine:gpt-4o", "pi:gpt-4o", "")] == [0, 0, 0, 0]
