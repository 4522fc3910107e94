"""The `admin` extension: the status page, and what verbs ask of a running bridge."""

from bridge.core import ExtensionFactory, Stability
from bridge.extensions.admin.options import AdminOptions
from bridge.extensions.admin.server import Admin

__all__ = ["FACTORY", "Admin", "AdminOptions"]

FACTORY = ExtensionFactory(
    type_name="admin", config=AdminOptions, create=Admin, stability=Stability.BETA
)
