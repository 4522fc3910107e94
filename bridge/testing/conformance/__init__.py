"""
Conformance kits: the contract of `bridge.core.contracts` as checks that run against a component.

A plugin's tests make a case (how to create the component, how to reach its outside) and run every
check of the kit on it. A check raises `ConformanceError`, an `AssertionError` whose text is the
sentence of the contract that was broken.
"""

from bridge.testing.conformance.common import Check, ConformanceError
from bridge.testing.conformance.exporters import EXPORTER_CHECKS, ExporterCase, Refusal
from bridge.testing.conformance.processors import PROCESSOR_CHECKS, ProcessorCase
from bridge.testing.conformance.receivers import RECEIVER_CHECKS, ReceiverCase

__all__ = [
    "Check",
    "ConformanceError",
    # A tuple of checks and the case to run them on, for each kind.
    "RECEIVER_CHECKS",
    "ReceiverCase",
    "PROCESSOR_CHECKS",
    "ProcessorCase",
    "EXPORTER_CHECKS",
    "ExporterCase",
    "Refusal",
]
