"""The command ``otlp-bridge``: one thin module a verb, imported only when the verb is used."""

from bridge.cli.entry import main

__all__ = ["main"]
