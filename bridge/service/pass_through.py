"""
Where batching would only add a wait.

The Kafka exporter joins what arrives within its linger by itself, and a source that reads whole
fetches hands over large batches already; a `batch` without a cap in front of them passes through
(design, section 9 rule 8). A cap is a promise about the size downstream and is kept.

Where a stage further on keeps Kafka records one by one, no `batch` before it joins or cuts what
comes from Kafka, whatever its caps: nobody could tell any more which offsets the parts hold.
"""

from collections.abc import Sequence
from typing import Any

from bridge.config import ComponentConfig
from bridge.core import Processor


def mark_pass_through(
    processor: Processor,
    configured: ComponentConfig,
    followers: Sequence[ComponentConfig],
    sources: Sequence[ComponentConfig],
    *,
    kept: bool,
) -> None:
    """
    Tell a `batch` processor that it may hand batches on as they come, where that is so.

    Args:
        kept:
            Whether a stage behind *processor* keeps records one by one.
    """
    if configured.factory.type_name != "batch":
        return
    batch: Any = processor
    batch.keep_records = kept
    batch.pass_through = passes_through(configured, followers, sources)


def passes_through(
    configured: ComponentConfig,
    followers: Sequence[ComponentConfig],
    sources: Sequence[ComponentConfig],
) -> bool:
    """
    Whether *configured* is a `batch` without a cap whose work is done elsewhere.

    Args:
        followers:
            What stands right behind it: the next processor, or all exporters of the pipeline.
        sources:
            The receivers of the pipeline.
    """
    if configured.factory.type_name != "batch" or configured.options.send_batch_max_size:
        return False
    kinds = {(part.kind, part.factory.type_name) for part in followers}
    if kinds == {("exporters", "kafka")}:
        return True
    from_kafka_only = {part.factory.type_name for part in sources} == {"kafka"}
    return from_kafka_only and kinds == {("processors", "tail_sampling")}
