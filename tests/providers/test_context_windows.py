"""How much a model takes is known from the price list, where it knows the model."""

from lar.providers.windows import ContextWindows


def test_contexts_are_looked_up() -> None:
    """R-ME-2: known models have their context, unknown ones have none, and nothing is asked outside."""
    windows = ContextWindows()
    assert windows.of("openai:gpt-4o") == 0
    windows.learn(["openai:gpt-4o", "openai:nobody", "nobody:x", ""])
    assert windows.of("openai:gpt-4o") == 128_000
    assert [windows.of(name) for name in ("openai:nobody", "nobody:x", "")] == [0, 0, 0]
