"""Containers by docker: the same walls where the engine runs, at the price of a tenth of a second and a daemon."""

from lar.sandboxes.docker.sandbox import Docker

__all__ = ["Docker"]
