"""Groq, which serves open models fast."""
