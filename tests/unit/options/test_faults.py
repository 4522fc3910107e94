"""Several faults as one error."""

import pytest
from pydantic import ValidationError, field_validator

from bridge.options import Fault, OptionFaults, Options


class _Section(Options):
    names: list[str]
    """Names."""

    @field_validator("names")
    @classmethod
    def _check(cls, names: list[str]) -> list[str]:
        raise OptionFaults(
            [Fault((index,), f"{name} is wrong") for index, name in enumerate(names)]
        )


def test_option_faults_are_one_error_of_pydantic_that_keeps_all() -> None:
    """Whoever knows nothing of them still prints every message."""
    with pytest.raises(ValidationError) as caught:
        _Section(names=["a", "b"])

    (detail,) = caught.value.errors()
    cause = detail["ctx"]["error"]
    assert isinstance(cause, OptionFaults)
    assert [fault.location for fault in cause.faults] == [(0,), (1,)]
    assert "a is wrong\nb is wrong" in detail["msg"]
