"""Run the flow once; the exit code says whether nothing was lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tests.compose.flow import FlowError, run_flow
from tests.compose.stack import CommandError


def main() -> int:
    """Run it."""
    if shutil.which("podman") is None:
        sys.stderr.write("test-compose: 'podman' is missing (Debian: apt-get install podman)\n")
        return 1
    try:
        run_flow(name=f"passerelle-test-{os.getpid()}")
    except (FlowError, CommandError, TimeoutError, subprocess.TimeoutExpired) as error:
        sys.stderr.write(f"test-compose: FAILED: {error}\n")
        return 1
    sys.stdout.write("test-compose: passed; nothing was lost\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
