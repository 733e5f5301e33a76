"""The heart: inbox, routing, commands, the turn machine and its driver, the outbox."""
