"""Every capture in tests/payloads decodes to the samples that stand beside it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from core.clock import iso
from core.message import Decoded, DecodeError, RawMessage
from core.reasons import Reason
from devices.decoder import Decoder, shipped_profiles
from devices.formats import formats
from devices.instants import rfc3339_ns

ROOT = Path(__file__).parents[3]
PAYLOADS = ROOT / "tests" / "payloads"
FILES = sorted(PAYLOADS.glob("*/*.json"))


def message(golden: dict[str, Any]) -> RawMessage:
    payload = (
        base64.b64decode(golden["payload_base64"])
        if "payload_base64" in golden
        else golden["payload"].encode()
    )
    return RawMessage(golden["topic"], payload, rfc3339_ns(golden["received"]))


def told(decoded: Decoded) -> dict[str, Any]:
    return {
        "profile": decoded.profile,
        "site": decoded.site,
        "external_id": decoded.external_id,
        "kind": str(decoded.kind),
        "samples": [
            {
                "quantity": sample.quantity,
                "value": pytest.approx(sample.value, rel=1e-12)
                if isinstance(sample.value, float)
                else sample.value,
                "unit": sample.unit,
                "time": None if sample.time_ns is None else iso(sample.time_ns),
            }
            for sample in decoded.samples
        ],
        "seq": decoded.seq,
        "boot": decoded.boot,
        "defects": [str(defect.reason) for defect in decoded.defects],
        "aliases": decoded.aliases,
        "simulated": decoded.simulated,
        "relative_time": decoded.relative_time,
    }


NOTHING_SPECIAL: dict[str, Any] = {
    "seq": None,
    "boot": None,
    "defects": [],
    "aliases": {},
    "simulated": False,
    "relative_time": False,
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_capture_decodes_as_expected(path: Path, decoder: Decoder) -> None:
    golden = json.loads(path.read_text(encoding="utf-8"))
    expected = golden["expected"]
    if "error" in expected:
        with pytest.raises(DecodeError) as failure:
            decoder.decode(message(golden))
        assert failure.value.code == expected["error"]
        return
    assert NOTHING_SPECIAL | expected == told(decoder.decode(message(golden)))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_capture_says_where_it_comes_from_and_nothing_unknown(path: Path) -> None:
    golden = json.loads(path.read_text(encoding="utf-8"))
    assert golden["source"]
    assert set(golden) - {"payload", "payload_base64"} == {
        "source",
        "topic",
        "received",
        "expected",
    }
    assert ("payload" in golden) != ("payload_base64" in golden)
    error = golden["expected"].get("error")
    assert error is None or error in set(Reason)


def test_each_format_has_captures_that_decode_a_profile_and_a_chapter() -> None:
    chapters = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    for name, form in formats().items():
        goldens = [json.loads(path.read_text("utf-8")) for path in PAYLOADS.glob(f"{name}/*.json")]
        assert any(golden["expected"].get("samples") for golden in goldens), name
        assert f"`{name}`" in chapters, f"docs/formats.md says nothing of format {name}"
        for reader in form.readers:
            assert f"`{reader}`" in chapters, f"docs/formats.md: reader {reader} of {name}"


def test_each_topic_of_each_shipped_profile_has_a_capture(decoder: Decoder) -> None:
    reached = set()
    for path in FILES:
        found = decoder._router.find(json.loads(path.read_text("utf-8"))["topic"])
        assert found is not None, path
        reached.add(found.template)
    missing = [t.text for n, t in enumerate(decoder._templates) if n not in reached]
    assert missing == []


def test_each_shipped_profile_has_a_chapter() -> None:
    chapters = (ROOT / "docs" / "profiles.md").read_text(encoding="utf-8")
    for version in shipped_profiles():
        assert f"`{version.name}`" in chapters, f"docs/profiles.md: profile {version.name}"
