"""`docs/access.md`, made from the roles, the permissions, and what every route declares."""

from __future__ import annotations

from api.access.requires import FIELD
from api.app import described_routes
from core.access import DOMAIN_OF, PERMISSIONS, REACH, Domain, Permission, Reach, Role

_INTRODUCTION = """\
# Who may do what

Made by `passerelle config --reference access`; a test keeps it true, and another asks every route
as every role at every site and compares.

Everything is refused that no **grant** allows. A grant gives a **role** at one site or at every
one, and in one **domain** of quantities or in every one *but health*: vital signs are only
granted by name. Who holds several grants may do what any of them allows.

```
passerelle keys create "notebook of Amina" --role researcher --site elgazala --expires 90d
passerelle keys create "ward display" --role viewer --site elgazala --domain health
passerelle keys create me --role administrator --health
passerelle users create amina --grant researcher@elgazala --grant viewer@diamniadio
passerelle keys create laptop --user amina --scope read_readings
passerelle keys rotate 0f3a5c7d9e1b --grace 1d
```

- **Keys** have grants of their own, or belong to a **user** and then never do more than that user
  may. `--scope` lets a key use only the permissions that are named. A key that expires or is
  revoked is refused within two seconds. `rotate` makes a key that may do the same, and lets the
  old one live on for a while. Without `--role`, a key is a viewer at every site, without health.
- **Tokens** of an OpenID provider hold what their claims give ([access-oidc.md](access-oidc.md)),
  and what the user holds whose `subject` is `ISSUER#SUBJECT`.
- **Nobody gives more than they hold**, over HTTP. The command line works on the registry itself:
  whoever has that may do everything; what is done there stands in the audit as `local`.
- **Keys made before there were grants** hold everything everywhere, health included, as they did:
  narrow them by making new ones.
- **Alerts** are seen by everybody at their site; those whose rule looks at vital signs, or that are
  about a person, only by who holds that site in health, whatever they do with them. What an alert
  measured in another domain that they may not read is withheld. Alerts of the platform itself are
  seen by who holds something at every site. Who may acknowledge is an engineer or an operator: for
  a nurse, an `operator` at the site in `health`, which gives vital signs, their alerts, and nothing
  else.
- `GET /v1/me` tells a caller what they may do.

## What a refusal looks like
- What is at a site where the caller holds nothing is answered exactly as if it did not exist.
- What is at a site that they know, without the right that the route needs: 403 `forbidden`, which
  names it.
- Values of a domain that they may not read are left out of "every quantity", and are a 403 by
  name.

## The audit
Written down, append only, each row chained to the one before by SHA-256 (`passerelle audit
verify`): every read of vital signs (who, when, route, sites, how many devices, quantities, range,
values), every refusal, every change of users, keys and grants, every acknowledgement, every change
of silences and of alert rules, with its reason. A read of vital signs is written
down *before* its answer is sent; where that fails, the answer is 503 `audit_unavailable`. An
export has two rows, `begun` and `complete` or `failed`. Of callers without a good key, the first
refusal of an address in a minute has a row, and a second row counts the others. Secrets of keys
are never written down, only their public part. `GET /v1/audit` and `passerelle audit list` show
it. It is kept for good: archive the registry's backups.
"""
_REACHES = (
    "What a grant has to be for a role to get an answer: **site**, at the site that is asked about "
    "(or at every one); **domain**, also for the domain of the quantities; **whole site**, at the "
    "site and not limited to a domain; **platform**, at every site and not limited to a domain; "
    "**health**, at the site and in the domain health; "
    "**whole site, health**, a whole site's and another one in health (a payload may hold vital "
    "signs, and a person's device has that person's); "
    "**site/health** and **whole site/health**, the same as before the stroke, and of what is "
    "about vital signs or about a person another one in health; "
    "**yes**, any; **no**, never. Lists hold what such grants cover. Open to everybody: "
    "`/health/live`, `/health/ready`, `/openapi.json`, `/docs` and the files of the dashboard."
)
_CELLS = {
    Reach.ANYBODY: "yes",
    Reach.SITE: "site",
    Reach.DOMAIN: "domain",
    Reach.WHOLE_SITE: "whole site",
    Reach.PLATFORM: "platform",
}

_OF_PERSONS = "/v1/assignments"
_OF_ALERTS = frozenset(
    {
        Permission.READ_ALERTS,
        Permission.ACKNOWLEDGE,
        Permission.SILENCE,
        Permission.MANAGE_RULES,
    }
)


def access_reference() -> str:
    """Return `docs/access.md`."""
    lines = [_INTRODUCTION, "## Roles", "", "| role | permissions |", "|---|---|"]
    for role in Role:
        names = ", ".join(f"`{one}`" for one in Permission if one in PERMISSIONS[role])
        lines.append(f"| {role} | {names} |")
    lines += ["", "## Domains", "", "| domain | categories of quantities |", "|---|---|"]
    for domain in Domain:
        categories = ", ".join(f"`{one}`" for one, its in DOMAIN_OF.items() if its is domain)
        lines.append(f"| {domain} | {categories} |")
    lines += [
        "",
        "## Routes",
        "",
        _REACHES,
        "",
        f"| route | permission | {' | '.join(Role)} |",
        f"|---|---|{'---|' * len(Role)}",
    ]
    for method, path, operation in described_routes():
        if FIELD in operation:
            permission = Permission(operation[FIELD])
            cells = " | ".join(_cell(permission, role, path) for role in Role)
            lines.append(f"| `{method} {path}` | `{permission}` | {cells} |")
    return "\n".join(lines) + "\n"


def _cell(permission: Permission, role: Role, path: str) -> str:
    reach = REACH[permission]
    if reach is not Reach.ANYBODY and permission not in PERMISSIONS[role]:
        return "no"
    if permission is Permission.READ_HEALTH:
        return "health"
    if permission is Permission.READ_PAYLOADS:  # see api.letter_payloads
        return f"{_CELLS[reach]}, health"
    if path.startswith(_OF_PERSONS):  # see api.routes.assignments
        return f"{_CELLS[reach]}, health"
    if permission in _OF_ALERTS:  # see api.access.alerts
        return f"{_CELLS[reach]}/health"
    return _CELLS[reach]
