"""The references made from the code: settings, metrics, quantities, access (`docs/NAME.md`)."""

from __future__ import annotations

from prometheus_client import Metric
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from cli.access_reference import access_reference
from core.metrics import Metrics
from core.quantities import CATALOGUE
from core.settings import Settings, SinkSettings

_PREFIX = "PASSERELLE_"


def settings_reference() -> str:
    """Return `docs/settings.md`."""
    lines = [
        "# Settings",
        "",
        "Made by `passerelle config --reference settings`; a test keeps it true. Every program",
        "reads the same settings, strongest first: options of the command, environment variables,",
        "`.env` in the working directory, the TOML file that `PASSERELLE_CONFIG` names (default",
        "`passerelle.toml`), the default. `passerelle config` prints the ones in force.",
        "",
        "In TOML a setting `mqtt.url` is the key `url` of the table `[mqtt]`.",
    ]
    top: list[tuple[str, FieldInfo]] = []
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            lines += ["", f"## `{name}`", "", (section.__doc__ or "").strip(), ""]
            lines += _table(
                [(f"{name}.{key}", value) for key, value in section.model_fields.items()]
            )
        else:
            top.append((name, field))
    lines += ["", "## `sinks`", "", (SinkSettings.__doc__ or "").strip(), ""]
    lines += ["Each is a table `[[sinks]]` in TOML; all together are the JSON list", ""]
    lines += ['`PASSERELLE_SINKS=[{"name": "archive", "url": "parquet:///data/points"}]`.', ""]
    lines += _list_table(SinkSettings)
    return "\n".join([*lines, "", "## The rest", "", *_table(top), ""])


def metrics_reference() -> str:
    """Return `docs/metrics.md`."""
    lines = [
        "# Metrics",
        "",
        "Made by `passerelle config --reference metrics`; a test keeps it true. The API serves",
        "them at `/metrics` (with an API key), a worker at `/metrics` of `ingest.metrics_port`,",
        "the process that judges alert rules at that of `alerts.metrics_port`, each with the",
        "metrics of its process (`process_*`, `python_*`).",
        "",
        "| metric | type | labels | meaning |",
        "|---|---|---|---|",
    ]
    metrics = Metrics()
    # prometheus-client shows the names of labels nowhere else.
    collectors = metrics.registry._collector_to_names  # noqa: SLF001
    labels = {
        name: getattr(collector, "_labelnames", ())
        for collector, names in collectors.items()
        for name in names
    }
    for family in metrics.registry.collect():
        shown = ", ".join(f"`{label}`" for label in labels.get(family.name, ()))
        lines.append(f"| `{_exposed(family)}` | {family.type} | {shown} | {family.documentation} |")
    return "\n".join([*lines, ""])


def quantities_reference() -> str:
    """Return `docs/quantities.md`."""
    lines = [
        "# Quantities",
        "",
        "Made by `passerelle config --reference quantities`; a test keeps it true. Every value is",
        "stored as a 64-bit float in the unit below (UCUM); a boolean is 0 or 1. A value outside",
        "the range cannot be right: that field is refused (reason `out_of_range`).",
        "",
        "| quantity | category | unit | range | measures | mesure | LOINC | MDC |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for entry in CATALOGUE.values():
        span = "boolean" if entry.type == "boolean" else f"{entry.minimum:g} to {entry.maximum:g}"
        cells = (
            f"`{entry.name}`",
            entry.category.value,
            f"`{entry.unit}`",
            span,
            entry.description,
            entry.description_fr,
            ", ".join(entry.loinc),
            ", ".join(map(str, entry.mdc)),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


REFERENCES = {
    "settings": settings_reference,
    "metrics": metrics_reference,
    "quantities": quantities_reference,
    "access": access_reference,
}
"""Each reference by its name: `docs/NAME.md`."""


def _exposed(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def _table(fields: list[tuple[str, FieldInfo]]) -> list[str]:
    lines = ["| setting | variable | default | meaning |", "|---|---|---|---|"]
    for name, field in fields:
        variable = _PREFIX + name.replace(".", "__").upper()
        lines.append(f"| `{name}` | `{variable}` | {_default(field)} | {field.description or ''} |")
    return lines


def _list_table(section: type[BaseModel]) -> list[str]:
    lines = ["| key | default | meaning |", "|---|---|---|"]
    for name, field in section.model_fields.items():
        default = "required" if field.is_required() else _default(field)
        lines.append(f"| `{name}` | {default} | {field.description or ''} |")
    return lines


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is None or value is PydanticUndefined:
        return "none"
    return f"`{value}`" if str(value) else "empty"
