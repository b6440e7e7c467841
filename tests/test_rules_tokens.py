"""Signed tokens: nothing but ours, for its purpose, in its time."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.tokens import BadToken, ExpiredToken, sign, verify

SECRET = b"a secret of the server's own"
NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
payloads = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
expiries = st.none() | st.timedeltas(timedelta(seconds=1), timedelta(days=4000)).map(lambda later: NOW + later)


@settings(deadline=None)
@given(payloads, st.text(st.characters(exclude_categories=["Cs"]), max_size=20), expiries)
def test_a_token_bears_its_payload(payload: str, purpose: str, expires_at: datetime | None) -> None:
    """In signs that need no escaping in a link."""
    token = sign(SECRET, purpose, payload, expires_at)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", token)
    assert verify(SECRET, purpose, token, NOW) == payload


def test_a_token_for_an_id_is_short() -> None:
    """It fits into an SMS beside the words."""
    assert len(sign(SECRET, "rating", "204177")) <= 32
    assert len(sign(SECRET, "rating", "204177", NOW)) <= 38


@settings(deadline=None)
@given(payloads, expiries, st.data())
def test_any_changed_sign_is_noticed(payload: str, expires_at: datetime | None, data: st.DataObject) -> None:
    """Each sign of the token counts, the last one's spare bits too."""
    token = sign(SECRET, "rating", payload, expires_at)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from([sign for sign in ALPHABET if sign != token[place]]))
    with pytest.raises(BadToken):
        verify(SECRET, "rating", token[:place] + other + token[place + 1 :], NOW)


def test_every_other_last_sign_is_noticed() -> None:
    """For each length of payload: base64's spare bits make no second spelling of a token."""
    for length in range(6):
        token = sign(SECRET, "rating", "x" * length)
        for sign_ in ALPHABET.replace(token[-1], ""):
            with pytest.raises(BadToken):
                verify(SECRET, "rating", token[:-1] + sign_, NOW)


@settings(deadline=None)
@given(payloads, expiries, st.data())
def test_a_token_cut_off_or_longer_is_refused(payload: str, expires_at: datetime | None, data: st.DataObject) -> None:
    """A mail program that breaks a link makes no other link."""
    token = sign(SECRET, "rating", payload, expires_at)
    cut = data.draw(st.integers(0, len(token) - 1))
    for wrong in (
        token[:cut],
        token[cut + 1 :],
        token + data.draw(st.sampled_from([*ALPHABET, "=", "==", " ", "\n", "."])),
    ):
        with pytest.raises(BadToken):
            verify(SECRET, "rating", wrong, NOW)


@settings(deadline=None)
@given(payloads, st.sampled_from(["case", "Rating", "rating ", "", "ratin", "ratingx"]))
def test_a_token_of_another_purpose_or_server_is_refused(payload: str, purpose: str) -> None:
    """A rating link opens no case, and no other server's link opens anything."""
    token = sign(SECRET, "rating", payload)
    with pytest.raises(BadToken):
        verify(SECRET, purpose, token, NOW)
    with pytest.raises(BadToken):
        verify(SECRET[::-1], "rating", token, NOW)


def test_a_purpose_cannot_borrow_from_the_payload() -> None:
    """ "a" with "bc" and "ab" with "c" are different tokens; so are those that a NUL would glue together."""
    for purpose, payload, other in (("a", "bc", "ab"), ("ab", "c", "a")):
        with pytest.raises(BadToken):
            verify(SECRET, other, sign(SECRET, purpose, payload), NOW)
    raw = base64.urlsafe_b64decode(sign(SECRET, "a", "\0" * 5) + "==")
    shifted = base64.urlsafe_b64encode(raw[:16] + raw[17:]).rstrip(b"=").decode()
    with pytest.raises(BadToken):
        verify(SECRET, "a\0", shifted, NOW)


def test_a_token_ends_at_its_second() -> None:
    """Valid before the expiry; expired at it, and said so only if it is ours."""
    token = sign(SECRET, "case", "7", NOW)
    assert verify(SECRET, "case", token, NOW - timedelta(microseconds=1)) == "7"
    with pytest.raises(ExpiredToken):
        verify(SECRET, "case", token, NOW)
    with pytest.raises(BadToken):
        verify(SECRET, "chat", token, NOW)


@settings(deadline=None)
@given(st.text(max_size=3000))
def test_no_text_is_a_token_by_chance(text: str) -> None:
    """Whatever stands in a link: BadToken, and nothing else."""
    with pytest.raises(BadToken):
        verify(SECRET, "rating", text, NOW)


@pytest.mark.parametrize("text", ["A" * 10_000_000, "\ud800" * 40, "é" * 40, "====", "+/+/" * 10, "AAAA\x00AAAA" * 4])
def test_a_hostile_token_is_refused(text: str) -> None:
    """Long, not ASCII, padded, of the other alphabet."""
    with pytest.raises(BadToken):
        verify(SECRET, "rating", text, NOW)


def test_what_cannot_be_signed_is_refused_in_words() -> None:
    """A short secret, an expiry that names no instant, a payload that no link holds."""
    with pytest.raises(ValueError, match="at least 16 bytes"):
        sign(b"short", "rating", "1")
    with pytest.raises(ValueError, match="at least 16 bytes"):
        verify(b"", "rating", sign(SECRET, "rating", "1"), NOW)
    with pytest.raises(ValueError, match="time zone"):
        sign(SECRET, "rating", "1", NOW.replace(tzinfo=None))
    with pytest.raises(ValueError, match="cannot expire"):
        sign(SECRET, "rating", "1", datetime(1969, 1, 1, tzinfo=UTC))
    with pytest.raises(ValueError, match="does not fit"):
        sign(SECRET, "rating", "x" * 3000)
