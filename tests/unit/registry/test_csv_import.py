from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.errors import ConfigurationError
from devices.registry import Device
from devices.registry.csv_import import (
    COLUMNS,
    parse_devices_csv,
    read_devices_csv,
    write_devices_csv,
)

KITCHEN = Device(
    id="d-1",
    site="elgazala",
    profile="tasmota",
    external_id="Cuisine/1",
    name="Cuisine, été",
    building="A",
    zone="1er",
    interval_s=0.5,
    hardware_id="0x01",
    labels={"floor": "2", "gateway": "gw-1"},
)


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "devices.csv"
    path.write_bytes(content)
    return path


def mistakes(content: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        parse_devices_csv(content, name="f.csv")
    *told, end = caught.value.detail.split("\n")
    assert end == "nothing was imported"
    return told


def test_three_columns_are_enough_and_the_name_in_topics_is_the_id() -> None:
    assert parse_devices_csv("id,site,profile\nd-1,elgazala,tasmota\n", name="f.csv") == [
        Device(id="d-1", site="elgazala", profile="tasmota", external_id="d-1")
    ]


def test_columns_may_stand_in_any_order_with_spaces_around_the_fields() -> None:
    content = "profile , external_id,id, site\n tasmota,Cuisine , d-1 ,elgazala\n"
    [device] = parse_devices_csv(content, name="f.csv")
    assert (device.id, device.external_id) == ("d-1", "Cuisine")


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
@pytest.mark.parametrize("separator", [b",", b";"])
def test_a_spreadsheets_file_is_read(
    tmp_path: Path, start: bytes, ending: bytes, separator: bytes
) -> None:
    header = separator.join(column.encode() for column in COLUMNS)
    cells = ["d-1", "elgazala", "tasmota", "Cuisine/1", '"Cuisine, été"', "A", "1er", "0.5", "0x01"]
    cells.append('"floor = 2; gateway=gw-1;"')
    row = separator.join(cell.encode() for cell in cells)
    path = written(tmp_path, start + ending.join([header, row, b"", separator * 9, b""]))
    assert read_devices_csv(path) == [KITCHEN]
    with path.open(encoding="utf-8", newline="") as stream:
        assert read_devices_csv(stream) == [KITCHEN]


def test_a_decimal_comma_is_understood_where_the_separator_is_not_a_comma() -> None:
    header = "id;site;profile;interval_s\n"
    [device] = parse_devices_csv(f"{header}d-1;elgazala;tasmota;2,5\n", name="f.csv")
    assert device.interval_s == 2.5


def test_every_mistake_is_told_with_file_line_and_column() -> None:
    content = (
        "id,site,profile,external_id,interval_s,name\n"
        "d-1,elgazala,tasmota,,60,ok\n"
        "D 2,,tasmota,,never,\n"
        '"d-3",elgazala,tasmota,x,0,"two\nlines"\n'
        "d-1,elgazala,tasmota,x,1_000,\n"
        f"d-5,elgazala,,,nan,{'n' * 201}\n"
        "d-6,elgazala,tasmota,,60,ok,more\n"
    )
    told = mistakes(content)
    places = [one.partition(": ")[0] for one in told]
    assert places == [
        "f.csv, line 3, column interval_s",
        "f.csv, line 3, column id",
        "f.csv, line 3, column site",
        "f.csv, line 4, column interval_s",
        "f.csv, line 6, column interval_s",
        "f.csv, line 6, column id",
        "f.csv, line 6, column external_id",
        "f.csv, line 7, column profile",
        "f.csv, line 7, column name",
        "f.csv, line 7, column interval_s",
        "f.csv, line 8",
    ]
    assert told[0].endswith("'never' is not a number of seconds")
    assert told[2].endswith("site is missing")
    assert told[5].endswith("the id 'd-1' stands in line 2 too")
    assert told[6].endswith("stands in line 4 too")
    assert told[8].endswith("name is longer than 200 characters; shorten it")


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("floor", "'floor' is no label; write name=value"),
        ("=2", "'=2' is no label"),
        ("floor=2;floor=3", "label 'floor' comes twice"),
        ("Floor=2", "label name 'Floor' must be 1 to 64"),
        ("floor=", "label floor must have a value"),
        ("gateway=d-1", "label gateway names the device itself"),
    ],
)
def test_a_label_that_cannot_be_right_is_told_with_its_place(cell: str, told: str) -> None:
    [found] = mistakes(f"id,site,profile,labels\nd-1,elgazala,tasmota,{cell}\n")
    assert found.startswith(f"f.csv, line 2, column labels: {told}")


def test_a_value_of_a_label_may_hold_an_equals_sign() -> None:
    content = "id,site,profile,labels\nd-1,elgazala,tasmota,rack=row=3\n"
    [device] = parse_devices_csv(content, name="f.csv")
    assert device.labels == {"rack": "row=3"}


def test_at_most_twenty_mistakes_are_told_and_the_others_counted() -> None:
    told = mistakes("id,site,profile\n" + ",elgazala,tasmota\n" * 25)
    assert len(told) == 21
    assert told[-1] == "and 5 more"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "f.csv, line 1: no column 'id'"),
        ("id,site\n", "f.csv, line 1: no column 'profile'"),
        ("id,site,profile,colour\n", "f.csv, line 1: unknown column 'colour'"),
        ("id,site,profile,id\n", "f.csv, line 1: column 'id' comes twice"),
        ("id\tsite\tprofile\n", "f.csv, line 1: no column 'id'"),
        ('id,site,profile\n"d-1,elgazala,tasmota\n', "f.csv, line 2: unexpected end of data"),
        ('id,site,profile\n"d"1,elgazala,tasmota\n', "f.csv, line 2: ',' expected after '\"'"),
        ("id,site,profile\nd\x001,elgazala,tasmota\n", "f.csv, line 2"),
        (f"id,site,profile\n{'x' * 200_000},e,t\n", "f.csv, line 2: field larger than"),
    ],
)
def test_what_is_no_table_of_devices_is_told(content: str, told: str) -> None:
    assert mistakes(content)[0].startswith(told)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.csv cannot be read: No such file"):
        read_devices_csv(tmp_path / "nowhere.csv")
    path = written(tmp_path, "id,site,profile\n\ncuisine,été,x\n".encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"devices\.csv, line 3: .* save .* as CSV UTF-8"):
        read_devices_csv(path)


TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=200
).map(str.strip)


LABELS = st.dictionaries(
    st.from_regex(r"[a-z0-9._-]{1,64}", fullmatch=True).filter(lambda name: name != "gateway"),
    st.text(
        st.characters(exclude_categories=["Cc", "Cs"], exclude_characters=";"),
        min_size=1,
        max_size=200,
    ).filter(lambda value: value == value.strip()),
    max_size=5,
)


@settings(max_examples=300, deadline=None)
@example(external_id="a", name="one\rtwo", building="three\nfour", interval_s=None, labels={})
@given(
    external_id=TEXT.filter(bool),
    name=TEXT,
    building=TEXT,
    interval_s=st.none() | st.floats(min_value=1e-300, allow_infinity=False, allow_nan=False),
    labels=LABELS,
)
def test_what_is_written_is_read_again(
    external_id: str, name: str, building: str, interval_s: float | None, labels: dict[str, str]
) -> None:
    device = Device(
        id="d-1",
        site="elgazala",
        profile="tasmota",
        external_id=external_id,
        name=name,
        building=building,
        interval_s=interval_s,
        labels=labels,
    )
    other = msgspec.structs.replace(KITCHEN, id="d-2", site="diamniadio")
    text = write_devices_csv([device, other])
    assert parse_devices_csv(text, name="f.csv") == [device, other]
