"""Where people talk: one folder per channel."""
