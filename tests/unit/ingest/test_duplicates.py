from __future__ import annotations

from core.clock import NS_PER_S
from ingest.duplicates import DuplicateWindow, Remembered

A, B = b"a" * 16, b"b" * 16
T0 = 1_800_000_000 * NS_PER_S


def window(max_messages: int = 100, max_age_s: float = 3600.0) -> DuplicateWindow:
    return DuplicateWindow(max_messages=max_messages, max_age_s=max_age_s)


def test_a_committed_message_sent_again_under_its_packet_identifier_is_a_redelivery() -> None:
    seen = window()
    seen.connection(generation=1, resumed=False)
    seen.remember([Remembered(5, A, accepted=True, received_ns=T0)])
    seen.connection(generation=2, resumed=True)
    assert seen.is_redelivery(mid=5, dup=True, digest=A)


def test_dup_alone_proves_nothing() -> None:
    seen = window()
    seen.connection(generation=1, resumed=True)
    seen.remember([Remembered(5, A, accepted=True, received_ns=T0)])
    assert not seen.is_redelivery(mid=6, dup=True, digest=A)
    assert not seen.is_redelivery(mid=5, dup=True, digest=B)


def test_a_broker_that_forgot_dup_is_believed_only_right_after_the_session_was_resumed() -> None:
    seen = window()
    seen.connection(generation=1, resumed=False)
    seen.remember(
        [
            Remembered(5, A, accepted=True, received_ns=T0),
            Remembered(6, B, accepted=True, received_ns=T0),
        ]
    )
    seen.connection(generation=2, resumed=True)
    assert seen.is_redelivery(mid=5, dup=False, digest=A)
    assert not seen.is_redelivery(mid=7, dup=False, digest=B)
    assert not seen.is_redelivery(mid=6, dup=False, digest=B)


def test_packet_identifiers_are_void_in_a_new_session() -> None:
    seen = window()
    seen.connection(generation=1, resumed=False)
    seen.remember([Remembered(5, A, accepted=True, received_ns=T0)])
    session = seen.session
    seen.connection(generation=2, resumed=False)
    assert seen.session == session + 1
    assert not seen.is_redelivery(mid=5, dup=True, digest=A)


def test_qos_0_is_never_a_redelivery() -> None:
    seen = window()
    seen.remember([Remembered(0, A, accepted=True, received_ns=T0)])
    assert not seen.is_redelivery(mid=0, dup=False, digest=A)


def test_the_window_is_bounded_in_age() -> None:
    seen = window(max_age_s=10)
    seen.remember([Remembered(1, A, accepted=True, received_ns=T0)])
    assert seen.seen_within(A, now_ns=T0 + 9 * NS_PER_S, window_s=None)
    assert not seen.seen_within(A, now_ns=T0 + 11 * NS_PER_S, window_s=None)
    assert not seen.seen_within(A, now_ns=T0 + 3 * NS_PER_S, window_s=2.0)


def test_the_window_is_bounded_in_number() -> None:
    seen = window(max_messages=1)
    seen.remember([Remembered(1, A, accepted=True, received_ns=T0)])
    seen.remember([Remembered(2, B, accepted=True, received_ns=T0)])
    assert not seen.seen_within(A, now_ns=T0, window_s=None)
    assert seen.seen_within(B, now_ns=T0, window_s=None)


def test_a_message_that_was_set_aside_makes_no_later_one_a_duplicate() -> None:
    seen = window()
    seen.remember([Remembered(1, A, accepted=False, received_ns=T0)])
    assert not seen.seen_within(A, now_ns=T0, window_s=None)


def test_a_message_that_was_set_aside_was_received_all_the_same() -> None:
    seen = window()
    seen.remember([Remembered(1, A, accepted=False, received_ns=T0)])
    assert seen.received(A)
    assert not seen.received(B)


def test_a_duplicate_does_not_make_the_third_copy_a_new_message() -> None:
    seen = window()
    seen.remember([Remembered(1, A, accepted=True, received_ns=T0)])
    seen.remember([Remembered(2, A, accepted=False, received_ns=T0)])
    assert seen.seen_within(A, now_ns=T0, window_s=None)
