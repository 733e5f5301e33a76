"""How to reach a model: one folder per API."""
