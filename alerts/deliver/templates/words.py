"""Every sentence that people read, English and French side by side.

A phrase may name values in braces. In French a sign that stands apart is written with a plain
space before it here; `say` puts the space that does not break.
"""

from __future__ import annotations

from collections.abc import Mapping

PHRASES: Mapping[str, tuple[str, str]] = {
    # how a subject line begins
    "mark.critical": ("CRITICAL", "CRITIQUE"),
    "mark.warning": ("WARNING", "ATTENTION"),
    "mark.info": ("INFO", "INFO"),
    "mark.resolved": ("OVER", "TERMINÉ"),
    "mark.withdrawn": ("WITHDRAWN", "ANNULÉ"),
    "mark.reminder": ("STILL", "TOUJOURS"),
    "mark.escalation": ("ESCALATION", "ESCALADE"),
    "mark.retroactive": ("IN THE PAST", "DANS LE PASSÉ"),
    "mark.flapping": ("FLAPPING", "INSTABLE"),
    "mark.steady": ("STEADY", "STABILISÉ"),
    "mark.test": ("TEST", "TEST"),
    "mark.channel_down": ("CHANNEL DOWN", "CANAL EN PANNE"),
    "mark.channel_up": ("CHANNEL BACK", "CANAL RÉTABLI"),
    # what kind of alarm it is
    "class.measured": ("a measured value", "valeur mesurée"),
    "class.technical": ("an instrument needs care", "appareil à entretenir"),
    "class.no_data": ("no data", "absence de données"),
    # what happened
    "told.firing": ("It has been firing since {at}.", "En alarme depuis le {at}."),
    "told.resolved": (
        "It is over since {until}. It had begun on {at} and lasted {lasted}.",
        "Terminé depuis le {until}. Début le {at}, durée {lasted}.",
    ),
    "told.resolved_unknown": (
        "It is over. It had begun on {at}.",
        "Terminé. Début le {at}.",
    ),
    "told.reminder": (
        "It still fires, since {at}, and nobody has acknowledged it.",
        "Toujours en alarme depuis le {at} ; personne ne l'a prise en charge.",
    ),
    "told.escalation": (
        "It has been firing since {at}. Nobody acknowledged it in time, so you are told too.",
        (
            "En alarme depuis le {at}. Personne ne l'a prise en charge à temps : vous êtes prévenu "
            "à votre tour."
        ),
    ),
    "told.retroactive": (
        "Values that came late show that it began to fire on {at}. It still does.",
        (
            "Des valeurs arrivées en retard montrent que l'alarme a commencé le {at}. "
            "Elle dure encore."
        ),
    ),
    "told.retroactive_over": (
        "Values that came late show that it fired in the past, from {at} to {until}.",
        (
            "Des valeurs arrivées en retard montrent qu'il y a eu alarme dans le passé, du {at} "
            "au {until}."
        ),
    ),
    "told.withdrawn": (
        (
            "Values that came late show that it did not fire at all: the earlier message about "
            "{at} does not count."
        ),
        (
            "Des valeurs arrivées en retard montrent qu'il n'y a pas eu d'alarme : le message "
            "précédent, du {at}, ne compte pas."
        ),
    ),
    "told.flapping": (
        (
            "It changes again and again ({count} times); single changes are not told until it is "
            "steady."
        ),
        (
            "L'état change sans cesse ({count} fois) ; les changements ne sont plus signalés "
            "jusqu'à stabilisation."
        ),
    ),
    "told.steady": ("It is steady again.", "L'état est de nouveau stable."),
    "told.stands_for": (
        "It explains {count} further alerts, which are not told.",
        "Elle explique {count} autres alertes, qui ne sont pas signalées.",
    ),
    "told.rule_gone": (
        "It ended because its rule is not in force any more.",
        "Terminé parce que la règle n'est plus en vigueur.",
    ),
    "told.subject_gone": (
        "It ended because what it was about is not there any more.",
        "Terminé parce que l'objet concerné n'existe plus.",
    ),
    "told.past": (
        "Found after the fact, between {at} and {until}.",
        "Constaté après coup, entre le {at} et le {until}.",
    ),
    "told.acknowledged": ("{who} looks after it.", "Prise en charge par {who}."),
    "told.test": (
        "This is a test of the channel {channel}. Nothing is the matter.",
        "Ceci est un essai du canal {channel}. Il n'y a aucune alarme.",
    ),
    "told.channel_down": (
        (
            "The channel {channel} cannot be reached. Whoever is told through it alone hears "
            "nothing at present."
        ),
        (
            "Le canal {channel} est injoignable. Qui n'est prévenu que par lui n'entend rien en "
            "ce moment."
        ),
    ),
    "told.channel_up": (
        "The channel {channel} works again; what waited for it is being delivered.",
        "Le canal {channel} fonctionne de nouveau ; ce qui attendait est en cours d'envoi.",
    ),
    "told.group": ("{count} alerts: {group}", "{count} alertes : {group}"),
    "told.group_plain": ("{count} alerts", "{count} alertes"),
    "told.omitted": (
        "And {count} more that are not listed here.",
        "Et {count} de plus, non listées ici.",
    ),
    "told.hidden": (
        "Measured values of persons are not shown on this channel; look at the dashboard.",
        (
            "Les mesures des personnes ne sont pas transmises par ce canal ; consultez le tableau "
            "de bord."
        ),
    ),
    "told.news2": (
        (
            "This score is advice for somebody who knows the patient; it replaces no judgement. "
            "Not for people under 16 or in pregnancy. NEWS2: Royal College of Physicians. "
            "National Early Warning Score (NEWS) 2. London: RCP, 2017."
        ),
        (
            "Ce score est une aide pour qui connaît le patient ; il ne remplace aucun jugement. "
            "Ne convient ni avant 16 ans ni pendant la grossesse. NEWS2 : Royal College of "
            "Physicians. National Early Warning Score (NEWS) 2. Londres : RCP, 2017."
        ),
    ),
    "told.notice": (
        "Notice {id}, ordered on {at}. The same number twice is the same notice twice.",
        "Avis {id}, du {at}. Deux fois le même numéro : deux fois le même avis.",
    ),
    # single lines
    "line.site": ("Site: {name}", "Site : {name}"),
    "line.place": ("Place: {name}", "Lieu : {name}"),
    "line.device": ("Device: {name}", "Appareil : {name}"),
    "line.quantity": ("Quantity: {name}", "Grandeur : {name}"),
    "line.person": ("Person: {name}", "Personne : {name}"),
    "line.rule": ("Rule: {name}", "Règle : {name}"),
    "line.value": ("{what}: {value}", "{what} : {value}"),
    "line.above": ("Limit: above {value}", "Limite : plus de {value}"),
    "line.below": ("Limit: below {value}", "Limite : moins de {value}"),
    "line.change": ("Change: {value}", "Variation : {value}"),
    "line.change_over": ("Change: {value} within {over}", "Variation : {value} en {over}"),
    "line.silent": ("Nothing came for: {value}", "Rien reçu depuis : {value}"),
    "line.after": ("Allowed silence: {value}", "Silence admis : {value}"),
    "line.days_left": ("Battery empty in about: {value}", "Batterie vide dans environ : {value}"),
    "line.count": (
        "Holds for: {count} (needed: {needed})",
        "Vrai pour : {count} (seuil : {needed})",
    ),
    "line.devices": ("Devices: {value}", "Appareils : {value}"),
    "line.local_time": ("Time of day: {value}", "Heure locale : {value}"),
    "line.held": ("Held last: {value} before", "Vrai en dernier : {value} avant"),
    "line.score": ("NEWS2 score: {value}", "Score NEWS2 : {value}"),
    "line.score_of": ("- {what}: {value}", "- {what} : {value}"),
    "line.missing": ("Missing inputs: {value}", "Entrées manquantes : {value}"),
    "line.expected": ("Usual: {value}", "Habituel : {value}"),
    "line.allowed": ("Allowed off: ± {value}", "Écart admis : ± {value}"),
    "line.worker": ("Worker: {value}", "Serveur de collecte : {value}"),
    "line.unusable": ("Unusable rule: {value}", "Règle inutilisable : {value}"),
    "line.reason": ("Reason: {value}", "Raison : {value}"),
    "line.about": ("About: {name}", "Objet : {name}"),
    "line.error": ("Error: {value}", "Erreur : {value}"),
    "line.by": ("Asked for by: {who}", "Demandé par : {who}"),
    "line.runbook": ("What to do: {text}", "Que faire : {text}"),
    "line.acknowledge": ("Acknowledge: {link}", "Prendre en charge : {link}"),
    "line.look": ("Look: {link}", "Voir : {link}"),
    "line.plot": ("Plot: {link}", "Courbe : {link}"),
    "place.building": ("building {name}", "bâtiment {name}"),
    "place.zone": ("zone {name}", "zone {name}"),
    "place.platform": ("the platform", "la plateforme"),
    # words
    "name.value": ("Value", "Valeur"),
    "name.completeness": ("Part that came", "Part reçue"),
    "input.supplemental_oxygen": ("Supplemental oxygen", "Oxygène d'appoint"),
    "input.consciousness": ("Consciousness", "Conscience"),
    "value.yes": ("yes", "oui"),
    "value.no": ("no", "non"),
    "unit.entries": ("entries", "passages"),
    "unit.people": ("people", "pers."),
    "unit.steps": ("steps", "pas"),
    "part.d": ("d", "j"),
    "part.h": ("h", "h"),
    "part.min": ("min", "min"),
    "part.s": ("s", "s"),
}
"""Key -> (English, French)."""

_PLACES = {"en": 0, "fr": 1}
_APART = {" :": "\u00a0:", " ;": "\u202f;", " ?": "\u202f?", " !": "\u202f!"}


def say(key: str, language: str, *, otherwise: str | None = None, **values: object) -> str:
    """Return a phrase with its values.

    Args:
        key: of `PHRASES`.
        language: `en` or `fr`.
        otherwise: what is returned when there is no such phrase.
        **values: what stands for the names in braces.

    Raises:
        KeyError: there is no such phrase, and no `otherwise`; or a value is missing.
    """
    if otherwise is not None and key not in PHRASES:
        return otherwise
    phrase = PHRASES[key][_PLACES[language]]
    if language == "fr":
        for plain, unbroken in _APART.items():
            phrase = phrase.replace(plain, unbroken)
    return phrase.format(**values)
