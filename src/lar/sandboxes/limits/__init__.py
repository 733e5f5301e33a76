"""Commands on this machine itself, with limits but without walls."""

from lar.sandboxes.limits.sandbox import Local

__all__ = ["Local"]
