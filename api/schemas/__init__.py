"""What the API takes and answers, one module a resource.

Instants are RFC 3339 text: a float of seconds cannot hold nanoseconds, nor can a JSON number in
most languages.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Schema(BaseModel):
    """Frozen; a field that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
