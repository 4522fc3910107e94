"""The resource processor: actions on the attributes of every resource."""

from pydantic import Field

from bridge.core import Batch, Processor, ProcessorFactory, Settings, Signal, Stability, Stage
from bridge.options import Options
from bridge.ottl import Payload
from bridge.processors._actions import ActionOptions, compile_actions
from bridge.processors._rewrite import Change
from bridge.processors._stage import RewritingStage

__all__ = ["FACTORY", "ResourceOptions", "ResourceProcessor"]


class ResourceOptions(Options):
    """Change the attributes of resources, for all signals alike."""

    attributes: list[ActionOptions] = Field(min_length=1)
    """The actions, run in order."""


class ResourceProcessor(RewritingStage):
    """Runs the actions over each resource; items are not looked into and keep their bytes."""

    def __init__(
        self, options: ResourceOptions, settings: Settings, signal: Signal, downstream: Stage
    ) -> None:
        super().__init__(settings, downstream, self._change_for)
        self._signal = signal
        self._act = compile_actions(options.attributes)

    def _change_for(self, batch: Batch) -> Change:
        metadata = batch.metadata

        def change(body: bytes) -> tuple[bytes, int]:
            payload = Payload(body, self._signal)
            for resource in payload.resources:
                self._act(resource.attributes, metadata)
            return payload.dump(), 0

        return change


def _create(
    options: ResourceOptions, settings: Settings, signal: Signal, downstream: Stage
) -> Processor:
    return ResourceProcessor(options, settings, signal, downstream)


FACTORY = ProcessorFactory(
    type_name="resource",
    config=ResourceOptions,
    create=_create,
    stability=Stability.BETA,
)
