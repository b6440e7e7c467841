"""What Twilio's calls say: form bytes in, events out; and the signature over them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import unicodedata
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from channels.base import AnyEvent, Consent, Malformed, Media, Receipt, Text, Unknown, body_key

FIELDS = 200
"""Fields of a form that are read; Twilio sends some thirty."""

# A whole message, nothing else in it. The English words for stop are those that Twilio itself obeys: after CANCEL or
# END it would not let us write any more, whatever we thought they meant. YES answers many questions and is no consent.
_KEYWORDS: dict[str, Literal["stop", "start", "help"]] = {
    **dict.fromkeys(("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"), "stop"),
    **dict.fromkeys(("退订", "退訂", "取消订阅", "取消訂閱", "TD", "T"), "stop"),
    **dict.fromkeys(("START", "UNSTOP", "恢复订阅", "恢復訂閱"), "start"),
    **dict.fromkeys(("HELP", "INFO", "帮助", "幫助"), "help"),
}

_STATUSES: dict[str, Literal["sent", "delivered", "read", "failed"] | None] = {
    "accepted": None,
    "scheduled": None,
    "queued": None,
    "sending": None,
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "undelivered": "failed",
    "failed": "failed",
    "canceled": "failed",
}

_OPT_OUT_TYPES: dict[str, Literal["stop", "start", "help"]] = {"STOP": "stop", "START": "start", "HELP": "help"}

_SID = re.compile(r"[A-Z]{2}[0-9a-fA-F]{32}")
_NUMBER = re.compile(r"\+?[0-9]{3,15}")


def form(body: bytes) -> list[tuple[str, str]]:
    """The fields of a form, repeated and blank ones too, in order. Raises Malformed."""
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS)
    except ValueError:
        pass
    raise Malformed("not a form in UTF-8")


def signature(auth_token: str, url: str, fields: list[tuple[str, str]]) -> str:
    """Twilio's signature: base64 of HMAC-SHA1, with the auth token, over the URL that it called and then every distinct
    field, sorted, name and value run together ("Secure webhooks" in Twilio's documentation)."""
    signed = url + "".join(name + value for name, value in sorted(set(fields)))
    mac = hmac.new(auth_token.encode(), signed.encode(errors="surrogatepass"), hashlib.sha1)
    return base64.b64encode(mac.digest()).decode()


def called_urls(url: str) -> list[str]:
    """The URL as Twilio may have written it when it signed: with or without the port that the scheme implies."""
    try:
        parts = urlsplit(url)
        port, default = parts.port, {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return [url]
    if default is None or port not in (None, default):
        return [url]
    bare = parts.netloc.removesuffix(f":{default}")
    return [url, *(parts._replace(netloc=host).geturl() for host in (bare, f"{bare}:{default}"))]


def consent(text: str) -> Literal["stop", "start", "help"] | None:
    """What a whole message means for our right to write, whatever its case, width, or full stop; None for others."""
    plain = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    return _KEYWORDS.get(plain.strip().rstrip(".!。").rstrip().upper())


def parse_form(body: bytes, own_number: str | None) -> list[AnyEvent]:
    """The event of one call, or none: a message on its way needs no receipt, and `own_number` does not talk to itself.
    Raises Malformed."""
    fields = dict(reversed(form(body)))  # the first of a repeated field counts
    unknown = Unknown(dedupe_key=body_key(body), thread="unknown", raw=body)
    sid, status = fields.get("MessageSid", ""), fields.get("MessageStatus", "")
    if not _SID.fullmatch(sid):
        return [unknown]
    if status:
        return _receipt(fields, sid, status, unknown)
    sender = fields.get("From", "")
    if not _NUMBER.fullmatch(sender) or "Body" not in fields:
        return [unknown]
    return [] if sender == own_number else [_message(fields, sid, sender)]


def _receipt(fields: dict[str, str], sid: str, status: str, unknown: Unknown) -> list[AnyEvent]:
    to = fields.get("To", "")
    if status not in _STATUSES or not _NUMBER.fullmatch(to):
        return [unknown]
    known = _STATUSES[status]
    if known is None:
        return []
    code = fields.get("ErrorCode") or None
    return [Receipt(dedupe_key=f"{sid}:{status}", thread=to, reference=sid, status=known, code=code)]


def _message(fields: dict[str, str], sid: str, sender: str) -> AnyEvent:
    text = fields["Body"]
    if fields.get("NumMedia", "0") not in {"", "0"}:
        return Media(dedupe_key=sid, thread=sender, kind=_kind(fields.get("MediaContentType0", "")), caption=text)
    # Where the operator has set words of their own (Advanced Opt-Out), Twilio says what it took the message for.
    change = _OPT_OUT_TYPES.get(fields.get("OptOutType", "").upper()) or consent(text)
    if change:
        return Consent(dedupe_key=sid, thread=sender, change=change, text=text)
    return Text(dedupe_key=sid, thread=sender, text=text)


def _kind(content_type: str) -> str:
    main, _, rest = content_type.partition("/")
    if main in {"image", "audio", "video"}:
        return main
    return "contact" if "vcard" in rest else "file"
