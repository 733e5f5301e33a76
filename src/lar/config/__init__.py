"""Configuration: reads the file and the environment once; gives each room its own frozen settings."""

from lar.config.load import home_folder, load
from lar.config.tree import Config, Settings

__all__ = ["Config", "Settings", "home_folder", "load"]
