"""Ollama, which runs open models at home."""
