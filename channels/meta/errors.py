"""What the Graph API's errors mean for the sender.

Codes are those of the Graph API's error handling guide and of the Messenger Platform's list of common error codes
(read in 2026); those marked (seen) are absent from both and known from the field. The platform's own words are never
repeated, for they may quote the message.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from channels.base import Blocked, ChannelError, Misconfigured, OutcomeUnknown, Rejected, RetryAfter, Unavailable
from channels.http import HttpResponse, strange_answer

_RATE_SECONDS: dict[int, float] = {
    4: 300.0,  # the app's calls of the last hour
    9: 60.0,
    17: 300.0,  # the user's calls of the last hour
    32: 300.0,  # the page's calls of the last hour
    341: 300.0,
    368: 3600.0,  # blocked for a while for what looks like abuse
    613: 60.0,  # calls a second, or too many messages to one person
    80001: 300.0,  # pages, Instagram and Messenger, each by business use case
    80002: 300.0,
    80006: 300.0,
}
_LONGEST_WAIT = 6 * 3600.0

_GONE = "this person cannot be written to: they blocked the page, left or take no messages"
_WINDOW = "the person's last message is more than 24 hours ago; wait until they write again"
# By (code, subcode); a subcode of None is the code alone.
_MEANINGS: dict[tuple[int, int | None], tuple[type[ChannelError], str]] = {
    (551, None): (Blocked, _GONE),
    (200, 1545041): (Blocked, _GONE),
    (10, 2018108): (Blocked, _GONE),
    (200, 2018108): (Blocked, _GONE),
    (10, 2018278): (Rejected, _WINDOW),
    (10, 2018065): (Rejected, _WINDOW),
    (10, 2534022): (Rejected, _WINDOW),  # the same on Instagram
    (100, None): (Rejected, "a parameter is wrong, or what it names is gone"),
    (100, 2018001): (Rejected, "no such person for this page; ids of one page mean nothing to another"),
    (100, 2018292): (Rejected, "no such comment, or it cannot be answered in private"),
    (506, None): (Rejected, "the same words were posted just before"),
    (803, None): (Rejected, "what the message is sent to does not exist"),
    (10900, None): (Rejected, "this comment has had its one private reply"),  # (seen)
    (10902, None): (Rejected, "this cannot be answered in private"),  # (seen)
    (10903, None): (
        Rejected,
        "this person cannot be answered in private: the 7 days are over or they refuse",
    ),  # (seen)
    (1200, None): (Unavailable, "sending failed for the moment; nothing was sent"),
    (1, 1357046): (OutcomeUnknown, "an invalid answer inside Meta; the message was probably sent"),
    (3, None): (Misconfigured, "the app lacks a capability; add the Messenger and Webhooks products to it"),
    (10, None): (Misconfigured, "the app lacks a permission, or the page is restricted; look at its Page Quality"),
    (10, 1893063): (Misconfigured, "Meta restricts this page from sending for a while; look at its Page Quality"),
    (102, None): (Misconfigured, "the page access token is no longer good; make a new one"),
    (190, None): (Misconfigured, "the page access token is no longer good; make a new one"),
}
_PERMISSIONS = range(200, 300)


def error_of(response: HttpResponse) -> ChannelError:
    """The error that an answer other than success amounts to.

    Codes 1 and 2 are the hard ones. Meta's list says of 1 that the messages may all have been sent although an error is
    reported, and of 2 that it is an unexpected error, to be retried. "Certainly not sent" is true of neither, so both
    are OutcomeUnknown, unless the error itself says `is_transient`: then Meta asks for the same call again.
    """
    error = _graph_error(response.body)
    if error is None:
        if response.status == 429:
            wait = regain_seconds(response.headers) or 60.0
            return RetryAfter(f"too many calls (429); wait {wait:.0f} s", wait, "account")
        return strange_answer("Meta", response.status)
    code, subcode = _number(error.get("code")), _number(error.get("error_subcode"))
    trace = error.get("fbtrace_id")
    trace = trace if isinstance(trace, str) and trace.isalnum() and len(trace) <= 40 else "none"
    known = f"Meta's error {code}" + (f"/{subcode}" if subcode else "") + f" (trace {trace}): "
    if code in _RATE_SECONDS and (code, subcode) not in _MEANINGS:
        wait = regain_seconds(response.headers) or _RATE_SECONDS[code]
        return RetryAfter(f"{known}too many calls; wait {wait:.0f} s", wait, "account")
    if code == 100 and "appsecret_proof" in str(error.get("message")):
        return Misconfigured(f"{known}app_secret and page_access_token are not of the same app")
    kind, advice = _MEANINGS.get((code, subcode)) or _MEANINGS.get((code, None)) or _unlisted(code, error, response)
    return kind(known + advice)


def regain_seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait according to `Retry-After` (seconds) or `X-Business-Use-Case-Usage` (minutes), at most 6 hours;
    None where neither says."""
    given = headers.get("retry-after", "")
    found = [float(given)] if given.isascii() and given.isdigit() and len(given) < 9 else []
    try:
        usage = json.loads(headers.get("x-business-use-case-usage", "{}"))
        for each in [each for uses in usage.values() for each in uses]:
            found.append(60.0 * float(each["estimated_time_to_regain_access"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    longest = max([seconds for seconds in found if seconds > 0], default=None)
    return None if longest is None else min(longest, _LONGEST_WAIT)


def _unlisted(code: int, error: Mapping[str, Any], response: HttpResponse) -> tuple[type[ChannelError], str]:
    if code in _PERMISSIONS:
        return Misconfigured, "a permission is missing; grant pages_messaging and pages_manage_engagement again"
    if error.get("is_transient") is True:
        return Unavailable, "down for the moment; Meta asks to try the same again"
    if code in {1, 2} or response.status >= 500:
        return OutcomeUnknown, "an unexpected error; the message may have been sent"
    return Rejected, "refused"


def _graph_error(body: bytes) -> Mapping[str, Any] | None:
    try:
        error = json.loads(body)["error"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return error if isinstance(error, dict) and _number(error.get("code")) else None


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
