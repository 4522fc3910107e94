"""The command ``otlp-bridge``: one thin module a verb, imported only when the verb is used."""

from bridge.cli.app import main

__all__ = ["main"]
