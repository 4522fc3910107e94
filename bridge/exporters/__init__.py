"""Sinks: one folder or file a component."""
