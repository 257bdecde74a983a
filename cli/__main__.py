"""`python -m cli`: the `passerelle` command."""

from cli.main import run

run()
