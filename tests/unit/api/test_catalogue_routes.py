from __future__ import annotations

from core.quantities import CATALOGUE, Category
from tests.unit.api.world import World


def test_both_sites_are_listed_with_their_zones(world: World) -> None:
    sites = world.client.get("/v1/sites").json()["sites"]
    assert {site["id"]: site["zone"] for site in sites} == {
        "elgazala": "Africa/Tunis",
        "diamniadio": "Africa/Dakar",
    }


def test_one_site_is_shown(world: World) -> None:
    site = world.client.get("/v1/sites/diamniadio").json()
    assert site["country"] == "SN"
    assert round(site["longitude"]) == -17


def test_every_quantity_is_listed_in_both_languages(world: World) -> None:
    entries = world.client.get("/v1/quantities").json()["quantities"]
    assert [entry["name"] for entry in entries] == list(CATALOGUE)
    assert all(entry["description"]["en"] and entry["description"]["fr"] for entry in entries)


def test_one_category_is_listed_with_its_codes(world: World) -> None:
    entries = world.client.get("/v1/quantities", category="vital_signs").json()["quantities"]
    assert {entry["category"] for entry in entries} == {Category.VITAL_SIGNS}
    rate = next(entry for entry in entries if entry["name"] == "heart_rate")
    assert (rate["unit"], rate["loinc"]) == ("/min", ["8867-4"])
