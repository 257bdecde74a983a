from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from devices.registry.tables import NAME
from devices.registry.text import account_name, account_names, clipped, storable

ANY = st.text(st.characters() | st.sampled_from("\x00\\~x0\ud800"), max_size=300)


@given(ANY)
def test_what_is_storable_can_be_kept_by_every_database(text: str) -> None:
    kept = storable(text)
    assert "\x00" not in kept
    kept.encode()
    assert storable(kept) == kept


@given(ANY, ANY)
@example("a\x00", "a\\x00")
@example("x" * 201, "x" * 202)
def test_account_names_of_different_texts_differ(one: str, two: str) -> None:
    assert len(account_name(one)) <= NAME
    assert (account_name(one) == account_name(two)) == (one == two)


@given(ANY)
def test_a_shown_account_name_is_no_other_texts_and_finds_its_account(text: str) -> None:
    shown = account_name(text)
    assert shown in account_names(text)
    assert shown in account_names(shown)
    if shown != text:
        assert account_name(shown) != shown


def test_an_ordinary_name_stands_as_it_is() -> None:
    for text in ("thermo-1", "Salle d'eau/é", "a~b", "室温", "x" * NAME):
        assert account_name(text) == text


def test_a_clipped_text_says_that_it_was_clipped() -> None:
    assert clipped("abc", 3) == "abc"
    assert clipped("abcdefgh", 6) == "abc..."
