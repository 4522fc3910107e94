"""
Everything that can go wrong between stages, as one tree.

    BridgeError
      ConfigError                      only at start; exit code 78
      DeliveryError
        Retryable  Overloaded  Unavailable  Interrupted     not now: the same batch may come again
        Permanent  Malformed  TooLarge  Refused             about the data: never again as it is
        Denied                                              about us: hold and alarm, never drop

Foreign errors are translated into these once, at the edge where they appear, with the cause
chained. How each is answered on OTLP and on the Kafka side: `bridge/adr/0003-error-tree.md`.
"""


class BridgeError(Exception):
    """The root: whatever this package raises on purpose."""


class ConfigError(BridgeError):
    """The configuration cannot be run. Raised only before data flows."""


class DeliveryError(BridgeError):
    """A batch was not taken: custody stays with the caller."""


class Retryable(DeliveryError):
    """
    The batch may be delivered later unchanged.

    Args:
        retry_after_s:
            Seconds after which a retry makes sense; `None` leaves it to the caller's backoff.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Overloaded(Retryable):
    """A budget of ours is used up. Always carries a hint, so that senders spread out."""

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message, retry_after_s=retry_after_s)


class Unavailable(Retryable):
    """Something behind us does not answer, or says that it cannot now."""


class Interrupted(Retryable):
    """We are stopping, or lost the partition: somebody else will take the batch."""


class Permanent(DeliveryError):
    """This data will never be taken as it is."""


class Malformed(Permanent):
    """The bytes are not what they claim to be."""


class TooLarge(Permanent):
    """A limit on size is exceeded and splitting cannot mend it."""


class Refused(Permanent):
    """The other side understood the data and does not want it."""


class Denied(DeliveryError):
    """
    We may not: credentials, an ACL, a missing topic. Retried slowly, never dropped.

    Args:
        hint:
            What to type or change, in one line.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
