"""Commands for the operator. Imports nothing heavy until a command needs it."""
