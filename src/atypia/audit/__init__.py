"""What is wrong with a set of scans, found before anyone trains on it."""

from atypia.audit.audit import Audit, audit_collection
from atypia.audit.verdict import Severity, Verdict

__all__ = ["Audit", "Severity", "Verdict", "audit_collection"]
