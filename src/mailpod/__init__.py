"""mailpod: a mail system in which every account is its own container."""

__version__ = "0.1.0"
