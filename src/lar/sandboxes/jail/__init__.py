"""A jail of the operator's choice, by a command put before every command. Lar promises nothing of its walls."""

from lar.sandboxes.jail.sandbox import Jail

__all__ = ["Jail"]
