"""The one gate: who may talk, and what may run."""
