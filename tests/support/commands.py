"""`passerelle ARGUMENTS` within this process: all that a user sees of it, a second sooner."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import msgspec

from cli.main import run


class Done(msgspec.Struct, frozen=True):
    """What came of a command.

    Attributes:
        code: its exit code.
        stdout: what it printed.
        stderr: what it said beside that.
    """

    code: int
    stdout: str
    stderr: str


def run_command(
    arguments: Sequence[str], *, environment: Mapping[str, str], directory: Path
) -> Done:
    """Run a command to its end.

    Args:
        arguments: behind `passerelle`.
        environment: all of it; that of the machine does not leak in.
        directory: where it runs.
    """
    code: str | int | None = 0
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with (
        patch.dict(os.environ, environment, clear=True),
        patch.object(sys, "argv", ["passerelle", *arguments]),
        chdir(directory),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            run()
        except SystemExit as end:
            code = end.code
    said, told = (stream.buffer.getvalue().decode() for stream in (out, err))
    return Done(code if isinstance(code, int) else int(code is not None), said, told)
