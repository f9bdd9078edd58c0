"""Compass: tells a team which PHP-FPM requests are slow, and where the time went."""

__version__ = "0.1.0"
