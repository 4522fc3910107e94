"""Section ``exporters.file``: the Collector's file exporter."""

from typing import Literal, Self

from pydantic import Field, model_validator

from bridge.options import Duration, Options


class Rotation(Options):
    """``rotation``: begin a new file now and then, and delete old ones."""

    max_megabytes: int = Field(default=100, ge=1)
    """MiB at which the file is set aside under a name with the time."""

    max_days: int = Field(default=0, ge=0)
    """Days after which files set aside are deleted; 0 for never."""

    max_backups: int = Field(default=100, ge=0)
    """Files set aside that are kept; 0 for all."""

    localtime: bool = False
    """Name them by local time instead of UTC."""


class FileOptions(Options):
    """Section ``exporters.file``."""

    path: str = Field(min_length=1)
    """File to write to; its folder must exist unless `create_directory`."""

    format: Literal["json", "proto"] = "json"
    """json: one request a line (OTLP/JSON). proto: each request after its size in 4 bytes."""

    compression: Literal["", "none", "zstd"] = ""
    """Compress each request by itself; then every one, JSON too, follows its size in 4 bytes."""

    append: bool = False
    """Continue an existing file instead of emptying it."""

    create_directory: bool = False
    """Make the folder of `path` where it is missing."""

    fsync: bool = False
    """
    Return only after the disk has it, so that it survives a power cut. Without, it survives a crash
    of the process.
    """

    rotation: Rotation | None = None
    """Unset for one file that grows without end."""

    flush_interval: Duration = 1.0
    """Accepted without effect: everything is written before it is acknowledged."""

    write_timeout: Duration = 30.0
    """Seconds for one write; after them the delivery fails and may be repeated."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.write_timeout <= 0:
            raise ValueError("write_timeout must be above 0")
        if self.rotation is not None and self.append:
            # As in the Collector, rotation always continues the file.
            raise ValueError("append cannot be set together with rotation: rotation appends always")
        return self

    @property
    def framed(self) -> bool:
        """Whether requests follow their size instead of being lines."""
        return self.format == "proto" or self.compression == "zstd"
