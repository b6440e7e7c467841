"""What is heard of Meta: comments, messages, receipts, and everything that is none of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import fake_meta
import pytest
from channel_case import FIXTURES
from channel_contract import fuzz
from fake_meta import COMMENT, as_meta_writes, envelope, feed, said
from hypothesis import given
from hypothesis import strategies as st

from channels.base import AnyEvent, Comment, Malformed, Media, Receipt, Tap, Text, Unknown
from channels.meta.events import events_of


def heard(body: bytes) -> list[AnyEvent]:
    return events_of(body, fake_meta.PAGE_ID, fake_meta.INSTAGRAM_ID)


def recorded(name: str) -> list[AnyEvent]:
    return heard((FIXTURES / "meta" / f"{name}.json").read_bytes())


# ---- comments ----


def test_a_comment_is_heard_with_everything_known_of_it() -> None:
    """Author, post, time and words of a new comment stand in the event; a comment on the post has no parent."""
    assert recorded("comment_add") == [
        Comment(
            dedupe_key=f"comment:{COMMENT}:add",
            thread=f"comment:{COMMENT}",
            sent_at=datetime(2025, 11, 24, 16, 0, tzinfo=UTC),
            post_id="102000000000001_900000000000001",
            comment_id=COMMENT,
            parent_id=None,
            author_scoped_id=fake_meta.PERSON,
            author_name="Li Na",
            text="等了三天还没发货，太失望了😡 http://example.com/a",
            verb="add",
        )
    ]


def test_an_answer_to_a_comment_knows_its_parent() -> None:
    """A reply names the comment that it answers."""
    (event,) = recorded("comment_reply")
    assert isinstance(event, Comment)
    assert event.parent_id == COMMENT


def test_a_removal_has_no_text_left() -> None:
    """A removal bears no words, even where the platform still sends them."""
    (plain,) = recorded("comment_removed")
    (chatty,) = heard(envelope(feed(verb="removed"), kind="changes"))
    for event in (plain, chatty):
        assert isinstance(event, Comment)
        assert (event.verb, event.text) == ("remove", "")


def test_edits_are_events_of_their_own() -> None:
    """The same edit again is the same event; another text or another time is another; both spellings are one."""

    def key(**changes: Any) -> str:
        (event,) = heard(envelope(feed(verb="edited", **changes), kind="changes"))
        assert isinstance(event, Comment)
        assert event.verb == "edited"
        return event.dedupe_key

    first = key(message="one")
    assert key(message="one") == first
    assert key(message="two") != first
    assert key(message="one", created_time=1764000009) != first
    (other,) = heard(envelope(feed(verb="edit", message="one"), kind="changes"))
    assert other.dedupe_key == first


def test_our_own_comments_are_dropped() -> None:
    """What the page or the Instagram account says itself is never heard, so no answer answers an answer."""
    assert recorded("comment_own") == []
    assert recorded("instagram_own") == []
    assert recorded("message_echo") == []
    assert heard(envelope(feed(**{"from": {"id": int(fake_meta.PAGE_ID)}}), kind="changes")) == []
    assert heard(envelope(feed(**{"from": None, "sender_id": int(fake_meta.PAGE_ID)}), kind="changes")) == []


def test_our_own_instagram_comment_is_known_by_its_mark() -> None:
    """Instagram may name us by a scoped id; the mark `self_ig_scoped_id` tells that it is us."""
    body = (FIXTURES / "meta" / "instagram_own.json").read_bytes()
    assert heard(body.replace(b'{"id":"17841400000000001","username"', b'{"id":"5510000000000009","username"')) == []


def test_a_removal_by_the_page_still_erases() -> None:
    """When the page deletes a customer's comment Meta may name the page in it: the text must go all the same."""
    removal = feed(verb="remove", **{"from": {"id": fake_meta.PAGE_ID, "name": "Earful Tea"}})
    (event,) = heard(envelope(removal, kind="changes"))
    assert isinstance(event, Comment)
    assert event.verb == "remove"


def test_a_comment_without_author_or_words_is_still_a_comment() -> None:
    """Meta leaves the author out where a permission is missing (two such people stay two), a picture has no words."""
    (anonymous,) = heard(envelope(feed(**{"from": None}), kind="changes"))
    (picture,) = recorded("comment_photo")
    assert isinstance(anonymous, Comment)
    assert (anonymous.author_scoped_id, anonymous.author_name) == (f"nameless-{COMMENT}", None)
    assert isinstance(picture, Comment)
    assert picture.text == ""


@pytest.mark.parametrize(
    "name", ["comment_hidden", "post_liked", "optin", "read_watermark", "delivery_watermark", "standby"]
)
def test_what_we_have_no_word_for_is_kept(name: str) -> None:
    """Likes, hidden comments, opt-ins, watermarks without an id and conversations of other apps are Unknown, and
    what is kept of them can be parsed again."""
    (event,) = recorded(name)
    assert isinstance(event, Unknown)
    assert heard(event.raw) == [event]


def test_the_key_of_what_is_kept_survives_a_redelivery() -> None:
    """Meta stamps a redelivery with another time; the key stays."""
    body = json.loads((FIXTURES / "meta" / "optin.json").read_bytes())
    (first,) = heard(as_meta_writes(body))
    body["entry"][0]["time"] += 60
    (again,) = heard(as_meta_writes(body))
    assert first.dedupe_key == again.dedupe_key


def test_another_pages_events_are_not_ours() -> None:
    """An app's webhook hears every page that installed it: what belongs to another page is kept, not answered."""
    for body in (envelope(said("hi"), entry_id="999"), envelope(feed(), entry_id="999", kind="changes")):
        (event,) = heard(body)
        assert isinstance(event, Unknown)


def test_instagram_is_heard_only_where_it_is_set_up() -> None:
    """Without `instagram_id` its payloads are kept as Unknown: our own comments could not be told apart."""
    (event,) = events_of((FIXTURES / "meta" / "instagram_comment.json").read_bytes(), fake_meta.PAGE_ID)
    assert isinstance(event, Unknown)


def test_an_instagram_comment_is_heard() -> None:
    """An Instagram comment becomes a Comment whose id tells that it is Instagram's."""
    (event,) = recorded("instagram_comment")
    assert isinstance(event, Comment)
    assert event.comment_id == "ig:17870000000000001"
    assert event.thread == "comment:ig:17870000000000001"
    assert (event.author_name, event.text, event.parent_id) == ("tea.lover", "包装全破了！", None)
    (reply,) = recorded("instagram_reply")
    assert isinstance(reply, Comment)
    assert reply.parent_id == "ig:17870000000000001"


# ---- messages ----


def test_messages_become_what_they_are() -> None:
    """Words, quick replies, postbacks, pictures, links, the thumb and receipts each become their own event."""
    (reply,) = recorded("message_reply")
    (tap,) = recorded("message_quick_reply")
    (postback,) = recorded("postback")
    (image,) = recorded("message_image")
    (thumb,) = recorded("message_thumbs_up")
    (link,) = recorded("message_link")
    (seen,) = recorded("instagram_seen")
    assert isinstance(reply, Text)
    assert (reply.text, reply.reply_to, reply.thread) == ("4", "m_out1", fake_meta.PERSON)
    assert reply.sent_at == datetime(2025, 11, 24, 16, 16, 40, 200_000, tzinfo=UTC)
    assert isinstance(tap, Tap)
    assert tap.data == "s:12:5"
    assert isinstance(postback, Tap)
    assert postback.data == "get_started"
    assert isinstance(image, Media)
    assert image.kind == "image"
    assert isinstance(thumb, Text)
    assert thumb.text == "👍"
    assert isinstance(link, Text)
    assert link.text == "see https://example.com/p"
    assert [e.reference for e in recorded("delivery") if isinstance(e, Receipt)] == ["m_out1", "m_out2"]
    assert isinstance(seen, Receipt)
    assert (seen.status, seen.reference) == ("read", "aWdfb3V0")


def test_a_thumb_in_the_new_sticker_form_is_heard_once() -> None:
    """A sticker comes as a picture, as a sticker, or as both during Meta's change: it is one event in each."""
    sticker = {"type": "sticker", "payload": {"url": "https://x.example/l", "sticker_id": 369239263222822}}
    picture = {"type": "image", "payload": {"url": "https://x.example/l", "sticker_id": 369239263222822}}
    for attachments in ([sticker], [picture], [picture, sticker]):
        item = said("")
        item["message"] = {"mid": "m_like", "attachments": attachments}
        (event,) = heard(envelope(item))
        assert isinstance(event, Text)
        assert event.text == "👍"


def test_one_lone_surrogate_does_not_cost_the_batch() -> None:
    """A text cut in the middle of an emoji is heard, and so are its neighbours."""
    body = envelope(said("before", 1), said("cut \ud83d", 2), said("after", 3))
    assert rb"\ud83d" in body
    assert [e.text for e in heard(body) if isinstance(e, Text)] == ["before", "cut \ud83d", "after"]


def test_a_full_batch_loses_only_what_is_bad() -> None:
    """Of 1,000 items with every tenth one broken in its own way, 900 are heard in order and 100 are kept."""
    broken: list[Any] = [None, 7, "x", [], {}, {"sender": {"id": ""}}, {"message": "m"}, {"postback": []}]
    items: list[Any] = [said(f"{n}", n) for n in range(1000)]
    for place, at in enumerate(range(0, 1000, 10)):
        items[at] = [broken[place % len(broken)], place]  # a list is never an item; the number keeps them apart
    events = heard(envelope(*items))
    assert [e.text for e in events if isinstance(e, Text)] == [f"{n}" for n in range(1000) if n % 10]
    assert len([e for e in events if isinstance(e, Unknown)]) == 100


def test_the_same_item_twice_in_a_batch_is_one_event() -> None:
    """A batch that repeats an item gives it once."""
    assert len(heard(envelope(said("hi"), said("hi")))) == 1


def test_items_nested_without_end_cost_neither_their_neighbours_nor_the_disk() -> None:
    """Items too deep to be written down again are kept as the whole body, once, beside their good neighbours."""
    for depth in range(900, 1000):
        deep = b"[" * depth + b"]" * depth
        body = envelope("DEEP", said("hi")).replace(b'"DEEP"', b",".join([deep] * 5))
        try:
            events = heard(body)
        except Malformed:
            continue
        assert [e.text for e in events if isinstance(e, Text)] == ["hi"]
        kept = [e.raw for e in events if isinstance(e, Unknown)]
        assert len(kept) == 1  # five times the same
        assert len(kept[0]) <= len(body)


def test_any_mixture_of_items_is_heard_item_by_item() -> None:
    """Whatever stands beside it, an item gives the events that it gives alone."""
    payloads = [json.loads(path.read_bytes()) for path in sorted((FIXTURES / "meta").iterdir())]
    entries = [(p["object"], e) for p in payloads for e in p["entry"] if p["object"] == "page"]

    @fuzz
    @given(st.lists(st.sampled_from(range(len(entries))), max_size=8))
    def check(chosen: list[int]) -> None:
        together = heard(as_meta_writes({"object": "page", "entry": [entries[n][1] for n in chosen]}))
        alone = [
            event
            for n in dict.fromkeys(chosen)
            for event in heard(as_meta_writes({"object": "page", "entry": [entries[n][1]]}))
        ]
        assert together == alone

    check()
