"""What a model may call: the contract, the registry, and the single execute path."""
