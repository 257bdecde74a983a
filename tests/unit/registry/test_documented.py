from __future__ import annotations

from pathlib import Path

import pytest

from devices.registry.csv_import import COLUMNS, parse_devices_csv
from devices.registry.tables import metadata

TEXT = (Path(__file__).parents[3] / "docs" / "registry.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("table", sorted(metadata.tables))
def test_every_table_is_documented(table: str) -> None:
    assert f"| `{table}` |" in TEXT


def test_the_documented_csv_can_be_imported() -> None:
    start = TEXT.index(",".join(COLUMNS))
    example = TEXT[start : TEXT.index("```", start)]
    [device] = parse_devices_csv(example, name="docs/registry.md")
    assert (device.name, device.interval_s) == ("Salle serveurs, nord", 60)
