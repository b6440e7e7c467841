"""What Meta's webhooks say, as events.

One payload is `{"object", "entry": [{"id", "time", "changes" | "messaging" | "standby": [item, ...]}]}`, up to 1,000
items of several people. Every item is read on its own: one that is not understood is kept and costs the others nothing.

Read with the standard library's parser, not with orjson: a text cut between the halves of a surrogate pair is legal
JSON, and for one lone half orjson refuses the whole payload.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal

from channels.base import AnyEvent, Comment, Malformed, Media, Receipt, Tap, Text, Unknown, body_key

INSTAGRAM = "ig:"
"""Instagram's comment ids begin with this, because they are answered through another path than Facebook's."""

NOBODY = "unknown"
"""The thread of what could not be understood: it belongs to no conversation and is never answered."""

Json = dict[str, Any]

_VERBS: dict[str, Literal["add", "edited", "remove"]] = {
    "add": "add",
    "edit": "edited",  # both spellings are seen in the wild, for the same thing
    "edited": "edited",
    "remove": "remove",
    "removed": "remove",
}
# The same items also arrive as changes, from Instagram's own login and from the dashboard's test button.
_MESSAGING_FIELDS = frozenset({"messages", "messaging_postbacks", "message_deliveries", "message_reads"})
_THUMBS_UP = frozenset({"369239263222822", "369239343222814", "369239383222810"})  # small, medium, large
_MEDIA = frozenset({"image", "video", "audio", "file", "location", "sticker"})
_KEY_LIMIT = 200
_ID_LIMIT = 240


class _NotUnderstood(Exception):
    """This item is not what is documented, or says nothing that we have a word for."""


def events_of(body: bytes, page_id: str, instagram_id: str | None = None) -> list[AnyEvent]:
    """Events of one webhook body, in its order, each dedupe key once.

    Items of other pages than `page_id` (and `instagram_id`) are Unknown: an app's webhook hears every page that
    installed it. Raises Malformed if the body is not a JSON object.
    """
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed("Meta's payload is not JSON; nothing was kept of it") from None
    if not isinstance(payload, dict):
        raise Malformed("Meta's payload is not a JSON object; nothing was kept of it")
    source, entries = payload.get("object"), payload.get("entry")
    own = {"page": page_id, "instagram": instagram_id}.get(source) if isinstance(source, str) else None
    if own is None or not isinstance(entries, list):
        return [Unknown(dedupe_key=body_key(body), thread=NOBODY, raw=body)]
    found: dict[str, AnyEvent] = {}
    for entry in entries:
        for event in _entry(str(source), own, entry, body):
            found.setdefault(event.dedupe_key, event)
    return list(found.values())


def _entry(source: str, own: str, entry: Any, body: bytes) -> Iterator[AnyEvent]:
    lists = [
        k for k in ("changes", "messaging", "standby") if isinstance(entry, dict) and isinstance(entry.get(k), list)
    ]
    if not lists:
        yield _kept(source, entry, None, entry, body)
        return
    for kind in lists:
        for item in entry[kind]:
            try:
                if _identifier(entry.get("id")) != own or not isinstance(item, dict):
                    raise _NotUnderstood
                yield from _change(source, own, entry, item) if kind == "changes" else _message(kind, own, item)
            except (_NotUnderstood, RecursionError):
                yield _kept(source, entry, kind, item, body)


def _change(source: str, own: str, entry: Json, item: Json) -> Iterator[AnyEvent]:
    field, value = item.get("field"), item.get("value")
    if not isinstance(value, dict):
        raise _NotUnderstood
    if field == "feed" and source == "page":
        yield from _page_comment(own, value)
    elif field == "comments" and source == "instagram":
        yield from _instagram_comment(own, entry, value)
    elif isinstance(field, str) and field in _MESSAGING_FIELDS:
        yield from _message("messaging", own, value)
    else:
        raise _NotUnderstood


# ---- comments ----


def _page_comment(page_id: str, value: Json) -> Iterator[AnyEvent]:
    verb = _VERBS.get(str(value.get("verb")))
    if value.get("item") != "comment" or verb is None:
        raise _NotUnderstood
    comment_id = _identifier(value.get("comment_id"))
    author = value.get("from") if isinstance(value.get("from"), dict) else {}
    author_id = _optional_identifier(author.get("id") if author else value.get("sender_id")) or ""
    # A removal always counts, whoever is named in it: when the page deletes a customer's comment it is the page.
    if author_id == page_id and verb != "remove":
        return
    post = value.get("post")
    post_id = value.get("post_id") or (post.get("id") if isinstance(post, dict) else None)
    post_id = _optional_identifier(post_id) or ""
    parent_id = _optional_identifier(value.get("parent_id"))
    text = "" if verb == "remove" else _string(value.get("message"))  # a picture alone has no message
    sent_at = _time(value.get("created_time"))
    key = ["comment", comment_id, verb]
    if verb == "edited":  # two edits are two events, also within a second; the same one sent again is one
        key += [_seconds(sent_at), _digest(text)]
    yield Comment(
        dedupe_key=_key(*key),
        thread=f"comment:{comment_id}",
        sent_at=sent_at,
        post_id=post_id,
        comment_id=comment_id,
        parent_id=None if parent_id == post_id else parent_id,
        author_scoped_id=_author(author_id, page_id, comment_id),
        author_name=_name(author.get("name") if author else value.get("sender_name")),
        text=text,
        verb=verb,
    )


def _instagram_comment(instagram_id: str, entry: Json, value: Json) -> Iterator[AnyEvent]:
    """Instagram tells of new comments only: they cannot be edited, and removals are not announced."""
    comment_id = INSTAGRAM + _identifier(value.get("id"))
    author = value.get("from") if isinstance(value.get("from"), dict) else {}
    author = author or {}
    author_id = _optional_identifier(author.get("id")) or ""
    if author_id == instagram_id or author.get("self_ig_scoped_id"):
        return
    media = value.get("media")
    parent_id = _optional_identifier(value.get("parent_id"))
    yield Comment(
        dedupe_key=_key("comment", comment_id, "add"),
        thread=f"comment:{comment_id}",
        sent_at=_time(entry.get("time")),  # when it was announced: the comment's own time is not told
        post_id=_optional_identifier(media.get("id") if isinstance(media, dict) else None) or "",
        comment_id=comment_id,
        parent_id=None if parent_id is None else INSTAGRAM + parent_id,
        author_scoped_id=_author(author_id, instagram_id, comment_id),
        author_name=_name(author.get("username")),
        text=_string(value.get("text")),
        verb="add",
    )


def _author(author_id: str, own: str, comment_id: str) -> str:
    """Where Meta does not tell who wrote it, everybody is somebody else: two nameless people never become one."""
    return author_id if author_id not in {"", own} else f"nameless-{comment_id}"


# ---- Messenger and Instagram messages ----


def _message(kind: str, own: str, item: Json) -> Iterator[AnyEvent]:
    if kind == "standby":  # another app holds this conversation: we read along and must not answer
        raise _NotUnderstood
    sender = item.get("sender")
    thread = _identifier(sender.get("id") if isinstance(sender, dict) else None)
    message = item.get("message")
    if thread == own or (isinstance(message, dict) and message.get("is_echo")):
        return
    sent_at = _time(item.get("timestamp"))
    if isinstance(message, dict):
        yield _said(thread, sent_at, message)
    elif isinstance(item.get("postback"), dict):
        yield _postback(thread, sent_at, item)
    elif isinstance(item.get("delivery"), dict):
        yield from _receipts(thread, sent_at, "delivered", item["delivery"].get("mids"))
    elif isinstance(item.get("read"), dict):  # Instagram names the message; Messenger gives a watermark only
        yield from _receipts(thread, sent_at, "read", [item["read"].get("mid")])
    else:
        raise _NotUnderstood


def _said(thread: str, sent_at: datetime | None, message: Json) -> Text | Tap | Media:
    mid = _identifier(message.get("mid"))
    key = _key("message", mid)
    reply = message.get("reply_to")
    reply_to = _optional_identifier(reply.get("mid")) if isinstance(reply, dict) else None
    if "quick_reply" in message:
        quick = message["quick_reply"]
        data = quick.get("payload") if isinstance(quick, dict) else None
        if not isinstance(data, str) or not data:
            raise _NotUnderstood
        return Tap(dedupe_key=key, thread=thread, sent_at=sent_at, data=data, message=reply_to)
    text = _string(message.get("text"))
    kind = _media_kind(message)
    if kind == "thumbs_up":
        return Text(dedupe_key=key, thread=thread, sent_at=sent_at, text="👍", reply_to=reply_to)
    if kind is not None and not (kind == "other" and text):  # a link in a text also comes as an attachment
        return Media(dedupe_key=key, thread=thread, sent_at=sent_at, kind=kind, caption=text)
    if not text:
        raise _NotUnderstood
    return Text(dedupe_key=key, thread=thread, sent_at=sent_at, text=text, reply_to=reply_to)


def _media_kind(message: Json) -> str | None:
    attachments = message.get("attachments") or []
    if not isinstance(attachments, list) or not all(isinstance(a, dict) for a in attachments):
        raise _NotUnderstood
    payloads = [a["payload"] for a in attachments if isinstance(a.get("payload"), dict)]
    stickers = [m["sticker_id"] for m in [message, *payloads] if m.get("sticker_id")]
    if stickers:
        return "thumbs_up" if str(stickers[0]) in _THUMBS_UP else "sticker"
    if not attachments:
        return None
    kind = attachments[0].get("type")
    return kind if isinstance(kind, str) and kind in _MEDIA else "other"


def _postback(thread: str, sent_at: datetime | None, item: Json) -> Tap:
    data, mid = item["postback"].get("payload"), _optional_identifier(item["postback"].get("mid"))
    if not isinstance(data, str) or not data:  # told only to the app whose button it was
        raise _NotUnderstood
    key = _key("postback", mid) if mid else _key("postback", thread, _seconds(sent_at), _digest(data))
    return Tap(dedupe_key=key, thread=thread, sent_at=sent_at, data=data)


def _receipts(
    thread: str, sent_at: datetime | None, status: Literal["delivered", "read"], mids: Any
) -> Iterator[Receipt]:
    if not isinstance(mids, list) or not mids:
        raise _NotUnderstood
    for mid in [_identifier(mid) for mid in mids]:  # all of them first: an item is understood whole or kept whole
        yield Receipt(dedupe_key=_key(status, mid), thread=thread, sent_at=sent_at, reference=mid, status=status)


# ---- values ----


def _kept(source: str, entry: Any, kind: str | None, item: Any, body: bytes) -> Unknown:
    """The item alone, in its envelope, so that a later version can read it again."""
    try:
        if kind is None:
            raw = json.dumps({"object": source, "entry": [item]})
            return Unknown(dedupe_key=body_key(raw.encode()), thread=NOBODY, raw=raw.encode())
        head = {k: v for k, v in entry.items() if k not in {"changes", "messaging", "standby"}}
        raw = json.dumps({"object": source, "entry": [{**head, kind: [item]}]})
        # The entry's time is when Meta sent it, so a redelivery has another one: the key leaves it out.
        same = json.dumps([source, entry.get("id"), kind, item])
        return Unknown(dedupe_key=body_key(same.encode()), thread=NOBODY, raw=raw.encode())
    except RecursionError:  # nested too deep to be written again: the whole body, once
        return Unknown(dedupe_key=body_key(body), thread=NOBODY, raw=body)


def _identifier(value: Any) -> str:
    found = _optional_identifier(value)
    if found is None:
        raise _NotUnderstood
    return found


def _optional_identifier(value: Any) -> str | None:
    """Ids are strings; old payloads have numbers. Anything but printable ASCII is not an id."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if 0 <= value < 1 << 64 else None
    if (
        isinstance(value, str)
        and 0 < len(value) <= _ID_LIMIT
        and value.isascii()
        and value.isprintable()
        and " " not in value
    ):
        return value
    return None


def _string(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _NotUnderstood
    return value


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _time(value: Any) -> datetime | None:
    """Seconds or milliseconds since 1970, as a number or a string of digits: Meta uses all four."""
    try:
        seconds = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else 0.0
        if not 0 < seconds < 1e15:
            return None
        return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _seconds(time: datetime | None) -> str:
    return "" if time is None else repr(time.timestamp())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def _key(*parts: str) -> str:
    key = ":".join(parts)
    return key if len(key) <= _KEY_LIMIT else f"{parts[0]}:{hashlib.sha256(key.encode()).hexdigest()}"
