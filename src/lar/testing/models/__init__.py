"""The model servers' simulator: five provider APIs on one port, answered by one scripted brain."""

from lar.testing.models.server import ModelSim

__all__ = ["ModelSim"]
