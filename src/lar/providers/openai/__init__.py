"""OpenAI and whatever speaks its Chat Completions or Responses API."""
