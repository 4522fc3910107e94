"""
The contracts between stages. Standard library only; imports nothing else of the bridge.

Everything a component needs to know of its surroundings is here: the `Batch` that travels, the
one verb `deliver` that moves it, the errors it may raise, and the `Settings` a component is
built with.
"""

from bridge.core.batch import ACCEPTED, NO_METADATA, Batch, Metadata, Receipt
from bridge.core.clock import Clock, Deadline, SteadyWall, SystemClock
from bridge.core.compiled import load_compiled
from bridge.core.component_id import ComponentId
from bridge.core.contracts import (
    SETTLED,
    Beginner,
    Component,
    Exporter,
    ExporterFactory,
    Extension,
    ExtensionFactory,
    Host,
    Outcome,
    PartitionListener,
    Pending,
    Processor,
    ProcessorFactory,
    Receiver,
    ReceiverFactory,
    Settings,
    Stability,
    Stage,
)
from bridge.core.errors import (
    BridgeError,
    ConfigError,
    DeliveryError,
    Denied,
    Interrupted,
    Malformed,
    Overloaded,
    Permanent,
    Refused,
    Retryable,
    TooLarge,
    Unavailable,
)
from bridge.core.installed import InstalledEntry, installed_entries, installed_version
from bridge.core.lean import door, import_without, put_off, start_lean, wants_descriptions
from bridge.core.metrics import Counter, Histogram, Labels, Metrics
from bridge.core.origin import NOTHING_DROPPED, Custody, Origin, Record
from bridge.core.ports import ConnectionShare, Join, PortHolder, Take
from bridge.core.signal import Signal
from bridge.core.status import State, Status
from bridge.core.view import Detailed, Figures, View
from bridge.core.watching import Watcher

__all__ = [
    # What travels.
    "Batch",
    "Receipt",
    "ACCEPTED",
    "Metadata",
    "NO_METADATA",
    "Signal",
    "Origin",
    "Record",
    "Custody",
    "NOTHING_DROPPED",
    # The roles.
    "Stage",
    "Beginner",
    "Pending",
    "Outcome",
    "SETTLED",
    "Component",
    "Receiver",
    "Processor",
    "Exporter",
    "Extension",
    "ReceiverFactory",
    "ProcessorFactory",
    "ExporterFactory",
    "ExtensionFactory",
    "Stability",
    "ComponentId",
    "Settings",
    "Host",
    "PartitionListener",
    "PortHolder",
    "ConnectionShare",
    "Join",
    "Take",
    # Health and figures.
    "State",
    "Status",
    "Metrics",
    "Counter",
    "Histogram",
    "Labels",
    "View",
    "Watcher",
    "Figures",
    "Detailed",
    # Time.
    "Clock",
    "SteadyWall",
    "SystemClock",
    "Deadline",
    # The process itself.
    "start_lean",
    "wants_descriptions",
    "import_without",
    "put_off",
    "door",
    "load_compiled",
    "InstalledEntry",
    "installed_entries",
    "installed_version",
    # Errors.
    "BridgeError",
    "ConfigError",
    "DeliveryError",
    "Retryable",
    "Overloaded",
    "Unavailable",
    "Interrupted",
    "Permanent",
    "Malformed",
    "TooLarge",
    "Refused",
    "Denied",
]
