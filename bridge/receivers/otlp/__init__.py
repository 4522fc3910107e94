"""The OTLP receiver: gRPC and HTTP in, acknowledged batches out."""

from collections.abc import Mapping

from bridge.core import ReceiverFactory, Settings, Signal, Stability, Stage
from bridge.receivers.otlp.authentication import Authenticator
from bridge.receivers.otlp.config import OtlpReceiverOptions
from bridge.receivers.otlp.listen import bind
from bridge.receivers.otlp.receiver import OtlpReceiver

__all__ = ["FACTORY", "Authenticator", "OtlpReceiver", "OtlpReceiverOptions", "bind"]


def _create(
    config: OtlpReceiverOptions, settings: Settings, downstream: Mapping[Signal, Stage]
) -> OtlpReceiver:
    return OtlpReceiver(config, settings, downstream)


FACTORY = ReceiverFactory(
    type_name="otlp",
    config=OtlpReceiverOptions,
    create=_create,
    stability=Stability.STABLE,
    rewirable=True,
)
