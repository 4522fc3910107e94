"""Stages in the middle of a pipeline: one folder or file a component; `_` marks what they share."""
