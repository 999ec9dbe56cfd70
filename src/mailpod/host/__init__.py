"""The machine mailpod runs on: packages, the engine's daemon, the base image."""
