"""The quantity catalogue: every quantity that Passerelle stores, with its unit, range and codes.

Every stored value is a float64 in the quantity's canonical unit; a `boolean` quantity is 0 or 1.
A value outside `minimum`..`maximum` (inclusive) cannot be right: the field is refused.

Sources: UCUM 2.1 for units; LOINC 2.7x and IEEE 11073-10101 (MDC) codes for vital signs as used by
the HL7 FHIR vital-signs profiles and the HL7 Personal Health Device guide. Ranges outside the vital
signs are those of ordinary sensors (Bosch BME280/BME680, Sensirion SCD4x/SPS30, DS18B20 data
sheets) or physical limits (water temperature, relative humidity); those of the vital signs are
what a monitor can display, not what is healthy. `consciousness` is in the order of ACVPU, as NEWS2
has it (Royal College of Physicians, 2017); it and `supplemental_oxygen` have no LOINC code here, as
no profile fixes one for what they say.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import msgspec

from core.errors import UnknownQuantityError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Category(StrEnum):
    """A family of quantities: the measurement under which the store keeps them."""

    ENVIRONMENT = "environment"
    AIR_QUALITY = "air_quality"
    ENERGY = "energy"
    WATER = "water"
    PRESENCE = "presence"
    ACCESS = "access"
    VITAL_SIGNS = "vital_signs"
    DEVICE_HEALTH = "device_health"


class Quantity(msgspec.Struct, frozen=True):
    """One entry of the catalogue.

    Attributes:
        name: canonical snake_case name: the field in the store.
        category: family, and the measurement in the store.
        unit: UCUM code of the canonical unit (`1` for a pure number).
        minimum: smallest value accepted, in `unit`, inclusive.
        maximum: largest value accepted, in `unit`, inclusive.
        description: what it measures, in English.
        description_fr: the same in French.
        type: `float`, or `boolean` stored as 0 or 1.
        loinc: LOINC codes, where there are some; the first is the one FHIR profiles fix.
        mdc: IEEE 11073-10101 codes, where there are some.
        cumulative: True for a counter that only grows until it is reset.
    """

    name: str
    category: Category
    unit: str
    minimum: float
    maximum: float
    description: str
    description_fr: str
    type: Literal["float", "boolean"] = "float"
    loinc: tuple[str, ...] = ()
    mdc: tuple[int, ...] = ()
    cumulative: bool = False


def _boolean(name: str, category: Category, description: str, description_fr: str) -> Quantity:
    return Quantity(name, category, "1", 0, 1, description, description_fr, type="boolean")


_E, _A, _P, _W, _V, _H = (
    Category.ENVIRONMENT,
    Category.AIR_QUALITY,
    Category.ENERGY,
    Category.WATER,
    Category.VITAL_SIGNS,
    Category.DEVICE_HEALTH,
)
_B, _C = Category.PRESENCE, Category.ACCESS

_ENTRIES = (
    # environment
    Quantity("air_temperature", _E, "Cel", -60, 85, "Air temperature", "Température de l'air"),
    Quantity("relative_humidity", _E, "%", 0, 100, "Relative humidity", "Humidité relative"),
    Quantity("dew_point", _E, "Cel", -80, 60, "Dew point", "Point de rosée"),
    Quantity("barometric_pressure", _E, "hPa", 300, 1100, "Air pressure", "Pression atmosphérique"),
    Quantity(
        "sea_level_pressure",
        _E,
        "hPa",
        850,
        1100,
        "Air pressure reduced to sea level",
        "Pression ramenée au niveau de la mer",
    ),
    Quantity("illuminance", _E, "lx", 0, 200_000, "Illuminance", "Éclairement"),
    Quantity("uv_index", _E, "1", 0, 20, "Ultraviolet index", "Indice ultraviolet"),
    Quantity("sound_level", _E, "dB", 0, 150, "Sound pressure level", "Niveau sonore"),
    Quantity("wind_speed", _E, "m/s", 0, 100, "Wind speed", "Vitesse du vent"),
    Quantity("wind_gust", _E, "m/s", 0, 120, "Wind gust speed", "Vitesse des rafales"),
    Quantity("wind_direction", _E, "deg", 0, 360, "Wind direction", "Direction du vent"),
    Quantity("rainfall", _E, "mm", 0, 2000, "Rainfall", "Hauteur de pluie", cumulative=True),
    Quantity(
        "solar_irradiance", _E, "W/m2", 0, 1600, "Global solar irradiance", "Éclairement solaire"
    ),
    Quantity("soil_temperature", _E, "Cel", -40, 80, "Soil temperature", "Température du sol"),
    Quantity("soil_moisture", _E, "%", 0, 100, "Soil moisture by volume", "Humidité du sol"),
    Quantity(
        "surface_temperature", _E, "Cel", -60, 400, "Surface temperature", "Température de surface"
    ),
    Quantity(
        "machine_temperature",
        _E,
        "Cel",
        -60,
        400,
        "Temperature inside a machine",
        "Température interne d'une machine",
    ),
    Quantity("vibration_velocity", _E, "mm/s", 0, 200, "Vibration velocity (RMS)", "Vibration"),
    # air quality
    Quantity("carbon_dioxide", _A, "[ppm]", 0, 40_000, "Carbon dioxide", "Dioxyde de carbone"),
    Quantity("carbon_monoxide", _A, "[ppm]", 0, 2000, "Carbon monoxide", "Monoxyde de carbone"),
    Quantity("nitrogen_dioxide", _A, "ug/m3", 0, 5000, "Nitrogen dioxide", "Dioxyde d'azote"),
    Quantity("ozone", _A, "ug/m3", 0, 5000, "Ozone", "Ozone"),
    Quantity("sulfur_dioxide", _A, "ug/m3", 0, 20_000, "Sulfur dioxide", "Dioxyde de soufre"),
    Quantity("particulate_matter_1", _A, "ug/m3", 0, 5000, "PM1", "Particules PM1"),
    Quantity("particulate_matter_2_5", _A, "ug/m3", 0, 5000, "PM2.5", "Particules PM2,5"),
    Quantity("particulate_matter_10", _A, "ug/m3", 0, 10_000, "PM10", "Particules PM10"),
    Quantity(
        "volatile_organic_compounds",
        _A,
        "[ppb]",
        0,
        60_000,
        "Total volatile organic compounds",
        "Composés organiques volatils totaux",
    ),
    Quantity("formaldehyde", _A, "ug/m3", 0, 20_000, "Formaldehyde", "Formaldéhyde"),
    Quantity("radon", _A, "Bq/m3", 0, 100_000, "Radon activity", "Activité du radon"),
    Quantity("air_quality_index", _A, "1", 0, 500, "Air quality index", "Indice de qualité d'air"),
    # energy
    Quantity("voltage", _P, "V", 0, 1000, "Voltage (RMS)", "Tension efficace"),
    Quantity("current", _P, "A", -1000, 1000, "Current (RMS)", "Intensité efficace"),
    Quantity("active_power", _P, "W", -1e6, 1e6, "Active power", "Puissance active"),
    Quantity("reactive_power", _P, "var", -1e6, 1e6, "Reactive power", "Puissance réactive"),
    Quantity("apparent_power", _P, "VA", 0, 1e6, "Apparent power", "Puissance apparente"),
    Quantity("power_factor", _P, "1", -1, 1, "Power factor", "Facteur de puissance"),
    Quantity("mains_frequency", _P, "Hz", 40, 70, "Mains frequency", "Fréquence du réseau"),
    Quantity(
        "energy_imported",
        _P,
        "kW.h",
        0,
        1e9,
        "Active energy taken from the grid",
        "Énergie active soutirée",
        cumulative=True,
    ),
    Quantity(
        "energy_exported",
        _P,
        "kW.h",
        0,
        1e9,
        "Active energy given to the grid",
        "Énergie active injectée",
        cumulative=True,
    ),
    Quantity(
        "energy_today",
        _P,
        "kW.h",
        0,
        1e5,
        "Active energy since midnight",
        "Énergie active depuis minuit",
        cumulative=True,
    ),
    Quantity(
        "energy_yesterday",
        _P,
        "kW.h",
        0,
        1e5,
        "Active energy of the day before",
        "Énergie active de la veille",
    ),
    Quantity("solar_power", _P, "W", 0, 1e6, "Photovoltaic power", "Puissance photovoltaïque"),
    Quantity(
        "state_of_charge", _P, "%", 0, 100, "Storage state of charge", "État de charge du stockage"
    ),
    _boolean("relay_state", _P, "Relay closed", "Relais fermé"),
    # water
    Quantity("water_temperature", _W, "Cel", -5, 110, "Water temperature", "Température de l'eau"),
    Quantity("water_flow", _W, "L/min", 0, 10_000, "Water flow", "Débit d'eau"),
    Quantity("water_volume", _W, "m3", 0, 1e8, "Water consumed", "Eau consommée", cumulative=True),
    Quantity("water_level", _W, "m", -100, 1000, "Water level", "Niveau d'eau"),
    Quantity("water_pressure", _W, "bar", 0, 100, "Water pressure", "Pression d'eau"),
    Quantity("water_ph", _W, "[pH]", 0, 14, "Acidity of water", "pH de l'eau"),
    Quantity(
        "water_conductivity", _W, "uS/cm", 0, 200_000, "Conductivity of water", "Conductivité"
    ),
    Quantity("water_turbidity", _W, "[NTU]", 0, 4000, "Turbidity of water", "Turbidité de l'eau"),
    Quantity("free_chlorine", _W, "mg/L", 0, 20, "Free chlorine in water", "Chlore libre"),
    _boolean("water_leak", _W, "Water leak detected", "Fuite d'eau détectée"),
    # presence
    _boolean("motion", _B, "Motion detected", "Mouvement détecté"),
    _boolean("occupancy", _B, "Room occupied", "Pièce occupée"),
    Quantity("people_count", _B, "{people}", 0, 100_000, "People present", "Personnes présentes"),
    Quantity("distance", _B, "m", 0, 10_000, "Distance to the nearest object", "Distance"),
    # access
    _boolean("door_open", _C, "Door open", "Porte ouverte"),
    _boolean("window_open", _C, "Window open", "Fenêtre ouverte"),
    _boolean("lock_engaged", _C, "Lock engaged", "Serrure verrouillée"),
    _boolean("smoke_detected", _C, "Smoke detected", "Fumée détectée"),
    _boolean("gas_detected", _C, "Gas detected", "Gaz détecté"),
    _boolean("tamper_detected", _C, "Tampering detected", "Sabotage détecté"),
    Quantity(
        "entry_count",
        _C,
        "{entries}",
        0,
        1e9,
        "Entries counted",
        "Passages comptés",
        cumulative=True,
    ),
    # vital signs
    Quantity(
        "heart_rate",
        _V,
        "/min",
        20,
        300,
        "Heart rate",
        "Fréquence cardiaque",
        loinc=("8867-4",),
        mdc=(147842, 149530, 149546),
    ),
    Quantity(
        "oxygen_saturation",
        _V,
        "%",
        50,
        100,
        "Oxygen saturation by pulse oximetry",
        "Saturation en oxygène",
        loinc=("2708-6", "59408-5"),
        mdc=(150456,),
    ),
    Quantity(
        "respiratory_rate",
        _V,
        "/min",
        3,
        80,
        "Respiratory rate",
        "Fréquence respiratoire",
        loinc=("9279-1",),
        mdc=(151562,),
    ),
    Quantity(
        "body_temperature",
        _V,
        "Cel",
        25,
        45,
        "Body temperature",
        "Température corporelle",
        loinc=("8310-5",),
        mdc=(150364,),
    ),
    Quantity(
        "systolic_blood_pressure",
        _V,
        "mm[Hg]",
        40,
        300,
        "Systolic blood pressure",
        "Pression artérielle systolique",
        loinc=("8480-6",),
        mdc=(150021,),
    ),
    Quantity(
        "diastolic_blood_pressure",
        _V,
        "mm[Hg]",
        20,
        200,
        "Diastolic blood pressure",
        "Pression artérielle diastolique",
        loinc=("8462-4",),
        mdc=(150022,),
    ),
    Quantity(
        "mean_blood_pressure",
        _V,
        "mm[Hg]",
        30,
        250,
        "Mean blood pressure",
        "Pression artérielle moyenne",
        loinc=("8478-0",),
        mdc=(150023,),
    ),
    Quantity(
        "blood_glucose",
        _V,
        "mg/dL",
        10,
        800,
        "Blood glucose",
        "Glycémie",
        loinc=("2339-0", "99504-3"),
        mdc=(160184, 160212),
    ),
    Quantity(
        "body_weight",
        _V,
        "kg",
        0.3,
        500,
        "Body weight",
        "Poids",
        loinc=("29463-7",),
        mdc=(188736,),
    ),
    _boolean(
        "supplemental_oxygen",
        _V,
        "Oxygen is given, as a person entered it",
        "Oxygène administré, saisi par une personne",
    ),
    Quantity(
        "consciousness",
        _V,
        "1",
        0,
        4,
        "Consciousness (ACVPU) as a person entered it: 0 alert, 1 new confusion, 2 answers to "
        "voice, 3 answers to pain, 4 unresponsive",
        "Conscience (ACVPU) saisie par une personne : 0 éveillé, 1 confusion nouvelle, 2 répond à "
        "la voix, 3 répond à la douleur, 4 aucune réponse",
    ),
    Quantity(
        "step_count",
        _V,
        "{steps}",
        0,
        100_000,
        "Steps since midnight",
        "Pas depuis minuit",
        loinc=("41950-7",),
        cumulative=True,
    ),
    Quantity("ecg_potential", _V, "mV", -10, 10, "ECG potential", "Potentiel ECG", mdc=(131328,)),
    # device health
    _boolean("online", _H, "Device connected", "Appareil connecté"),
    Quantity("battery_level", _H, "%", 0, 100, "Battery level", "Niveau de batterie"),
    Quantity("battery_voltage", _H, "V", 0, 100, "Battery voltage", "Tension de batterie"),
    _boolean("battery_low", _H, "Battery low", "Batterie faible"),
    Quantity("signal_strength", _H, "dB[mW]", -150, 30, "Received signal strength", "Signal reçu"),
    Quantity("link_quality", _H, "1", 0, 255, "Zigbee link quality", "Qualité du lien Zigbee"),
    Quantity("wifi_quality", _H, "%", 0, 100, "Wi-Fi quality", "Qualité du Wi-Fi"),
    Quantity("uptime", _H, "s", 0, 4e9, "Time since start", "Temps depuis le démarrage"),
    Quantity(
        "device_temperature",
        _H,
        "Cel",
        -60,
        150,
        "Temperature of the electronics",
        "Température de l'électronique",
    ),
    Quantity("free_memory", _H, "By", 0, 1e13, "Free memory", "Mémoire libre"),
    Quantity("cpu_load", _H, "%", 0, 100, "Processor load", "Charge du processeur"),
)

CATALOGUE: Mapping[str, Quantity] = MappingProxyType({entry.name: entry for entry in _ENTRIES})
"""Every quantity by its canonical name, in the order of the documentation."""


def quantity(name: str) -> Quantity:
    """Return the catalogue entry called `name`.

    Raises:
        UnknownQuantityError: there is none; the sentence names the closest ones.
    """
    found = CATALOGUE.get(name)
    if found is None:
        raise UnknownQuantityError(_unknown(name))
    return found


def _unknown(name: str) -> str:
    import difflib  # noqa: PLC0415 - only an error pays for it

    shown = name if len(name) <= 60 else f"{name[:60]}..."  # noqa: PLR2004 - a line's worth
    close = difflib.get_close_matches(name[:60], CATALOGUE, n=2)
    hint = f"; did you mean {' or '.join(close)}?" if close else "; see /v1/quantities"
    return f"there is no quantity {shown!r}{hint}"
