"""Addresses of the dashboard: an alert's page, and the plot of what decided."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from alerts.model import AlertView


def alert_link(view: AlertView, public_url: str) -> str:
    """Return the address of an alert's page, or "" without a dashboard."""
    return f"{public_url.rstrip('/')}/#/alerts/{quote(view.id, safe='')}" if public_url else ""


def plot_link(view: AlertView, public_url: str) -> str:
    """Return the address of the plot of what decided, or "" where there is none."""
    subject, evidence = view.subject, view.evidence
    device = subject.device or (evidence[-1].device if evidence else "")
    if not public_url or not device or not subject.site:
        return ""
    name = subject.quantity or str(view.facts.get("quantity", ""))
    if not name:
        name = next((one.quantity for one in reversed(evidence) if one.device == device), "")
    chosen = {"site": subject.site, "device": device, "quantity": name, "range": "24h"}
    there = urlencode({key: value for key, value in chosen.items() if value})
    return f"{public_url.rstrip('/')}/#{there}"
