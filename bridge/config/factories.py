"""Getting at component types, of which a plugin's may be broken."""

from bridge.config.loaded import FactorySource
from bridge.core import BridgeError
from bridge.core.contracts import AnyFactory


class BrokenComponentError(BridgeError):
    """A component is installed but cannot be loaded; the text holds its own error."""


def load_factory(factories: FactorySource, kind: str, type_name: str) -> AnyFactory:
    """
    The factory of a type that *factories* knows.

    Raises:
        BrokenComponentError: If importing it fails, or it is no factory of its kind.
    """
    try:
        return factories.factory(kind, type_name)
    except Exception as error:  # Importing a plugin runs its code, which may raise anything.
        message = f"{kind}.{type_name} cannot be loaded: {type(error).__name__}: {error}"
        raise BrokenComponentError(message) from error
