"""Write the JSON Schema of profiles to standard output: `python -m devices.profile_schema`."""

from __future__ import annotations

import json
import sys

from devices.profile import profile_schema


def main() -> None:
    """Print the schema as `docs/profile.schema.json` holds it."""
    json.dump(profile_schema(), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
