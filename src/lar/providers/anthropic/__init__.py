"""Anthropic and its Messages API."""
