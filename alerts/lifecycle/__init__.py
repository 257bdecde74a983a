"""What becomes of verdicts: alerts, and whom they are told.

`lifecycle` is what the alerting process uses, `people` what people do to alerts.
"""

from alerts.lifecycle.lifecycle import Lifecycle
from alerts.lifecycle.names import Names, names_of

__all__ = ["Lifecycle", "Names", "names_of"]
