"""The model loop: ask a model, run the tools it wants, ask again, until it answers."""
