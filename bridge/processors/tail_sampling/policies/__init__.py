"""The sampling policies, and making them from their options."""

from bridge.processors.tail_sampling.policies.compilation import Times, compile_policy

__all__ = ["Times", "compile_policy"]
