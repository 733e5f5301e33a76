"""OpenRouter, which routes to the models of others."""
