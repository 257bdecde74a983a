"""The platform's own alarms: what they are called, and how grave they are."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from alerts.model import Severity

PREFIX = "platform."
"""How the names of the platform's own rules begin; no other rule is looked for under them."""
CHANNEL_DOWN = f"{PREFIX}channel_down"
DEAF = f"{PREFIX}deaf"

PLATFORM: Mapping[str, tuple[Mapping[str, str], Severity]] = MappingProxyType(
    {
        CHANNEL_DOWN: (
            {
                "en": "A channel that tells people of alerts cannot be reached",
                "fr": "Un canal d'alerte est injoignable",
            },
            Severity.CRITICAL,
        ),
        DEAF: (
            {
                "en": "Alerting hears no worker: nothing is judged",
                "fr": "Les alertes n'entendent plus aucun serveur de collecte : rien n'est évalué",
            },
            Severity.CRITICAL,
        ),
        f"{PREFIX}stream_gap": (
            {
                "en": "Values did not reach alerting; they are read from the store",
                "fr": "Des mesures ont manqué aux alertes ; elles sont relues dans la base",
            },
            Severity.WARNING,
        ),
        f"{PREFIX}rules_unusable": (
            {
                "en": "An active rule cannot be used; it is not judged",
                "fr": "Une règle active est inutilisable ; elle n'est pas évaluée",
            },
            Severity.CRITICAL,
        ),
    }
)
"""Rule name -> its title, language code -> text; and its severity. All are of class technical."""
