"""The policy: who is told of which alerts, how often, and what is quiet when something else fires.

`model` is the policy as data, `source` reads it from YAML.
"""

from alerts.policy.model import Policy, Route
from alerts.policy.source import load_policy, parse_policy

__all__ = ["Policy", "Route", "load_policy", "parse_policy"]
