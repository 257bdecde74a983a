"""One set of settings, and the programs that share them, as a user would start them."""

from __future__ import annotations

from pathlib import Path

from tests.servers.ports import free_port
from tests.servers.waiting import wait_until
from tests.support.account import Api
from tests.support.commands import Done, run_command
from tests.support.programs import Program


class Site:
    """Settings and a directory of their own.

    Args:
        directory: where data and logs go.
        settings: further settings, as environment variables.
    """

    def __init__(self, directory: Path, **settings: str) -> None:
        self.directory = directory
        self.port = free_port()
        self.environment = {
            "PASSERELLE_DATA_DIR": str(directory / "data"),
            "PASSERELLE_API__PORT": str(self.port),
            "PASSERELLE_LOGGING__FORMAT": "json",
            **settings,
        }

    def program(self, *command: str, log: str) -> Program:
        """Return `python COMMAND` with these settings, not started."""
        return Program(command, environment=self.environment, log=self.directory / f"{log}.log")

    def command(self, *arguments: str) -> str:
        """Run `passerelle ARGUMENTS` to its end; return what it printed."""
        done = self._run(*arguments)
        assert done.code == 0, done.stderr or done.stdout
        return done.stdout

    def failing(self, *arguments: str) -> tuple[int, str]:
        """Run `passerelle ARGUMENTS`, which fails; return its exit code and what it printed."""
        done = self._run(*arguments)
        assert done.code != 0, done.stdout
        return done.code, done.stdout + done.stderr

    def _run(self, *arguments: str) -> Done:
        environment = self.program("-m", "cli", log="command").environment
        return run_command(arguments, environment=environment, directory=self.directory)

    def register_fleet(self, scenario: str, devices: int) -> None:
        """Register the devices of a scenario."""
        csv = self.directory / "fleet.csv"
        self.command(
            "simulate", scenario, "--devices", str(devices), "--devices-csv", str(csv), "--dry-run"
        )
        self.command("devices", "import", str(csv))

    def simulate(
        self, scenario: str, devices: int, *, broker: str, speed: str, duration: str
    ) -> tuple[Program, Path]:
        """Return the simulator, not started, and the file in which it will say what it sent."""
        report = self.directory / "published.json"
        program = self.program(
            "-m", "cli", "simulate", scenario,
            "--devices", str(devices), "--broker", broker, "--speed", speed,
            "--duration", duration, "--report", str(report),
            log="simulate",
        )  # fmt: skip
        return program, report

    def api(self) -> Api:
        """Return the API, once it answers."""
        key = self.command("keys", "create", "test", "--role", "administrator", "--health").strip()
        api = Api(f"http://127.0.0.1:{self.port}", key)
        wait_until(api.alive, what="the API answers", seconds=60)
        return api


def finish(program: Program, *, seconds: float) -> None:
    """Wait until a program has ended well."""
    process = program.process
    assert process is not None
    assert process.wait(timeout=seconds) == 0, program.output()
