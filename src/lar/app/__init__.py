"""The composition root: the only place that names concrete adapters. Builds, starts, stops."""

from lar.app.alarm import alert
from lar.app.life import PARTS, App, Extras, serve

__all__ = ["PARTS", "App", "Extras", "alert", "serve"]
