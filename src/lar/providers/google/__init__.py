"""Google and its Gemini API."""
