"""
``otlp-bridge doctor``: looks at everything that a configuration needs before data does.

`examination` asks; the other modules decide what an answer means, without asking anything.
"""

from bridge.service.doctor.codes import DOCTOR_CODES
from bridge.service.doctor.examination import examine
from bridge.service.doctor.findings import Finding, Severity, worst

__all__ = ["DOCTOR_CODES", "Finding", "Severity", "examine", "worst"]
