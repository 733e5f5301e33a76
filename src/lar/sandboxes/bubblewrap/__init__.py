"""Namespaces by bubblewrap: strong walls without a daemon, in a hundredth of a second."""

from lar.sandboxes.bubblewrap.sandbox import Bubblewrap

__all__ = ["Bubblewrap"]
