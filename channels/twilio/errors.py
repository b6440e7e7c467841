"""Twilio's error codes (twilio.com/docs/api/errors) as what the caller should do."""

from __future__ import annotations

from channels.base import Blocked, ChannelError, Misconfigured, OutcomeUnknown, Rejected, RetryAfter, Unavailable

RETRY_SECONDS = 1.0
"""Twilio's limit on requests at once passes quickly, and it seldom says how long it lasts."""
LONGEST_RETRY = 3600.0
"""Seconds that are waited at most, whatever the answer says."""
QUEUE_SECONDS = 60.0
"""How long to wait where the number's own queue, hours long, is full."""

_OPTED_OUT = 21610
_QUEUE_FULL = 21611

_MISCONFIGURED = {
    20003: "account_sid and auth_token do not fit together",
    20005: "the account is suspended or closed; see Twilio's console",
    20006: "the account may not do this; see Twilio's console",
    20404: "there is no such account; check account_sid",
    21212: "from_number is not a number to send from",
    21601: "from_number cannot send SMS",
    21603: "the sender is missing; check from_number or messaging_service_sid",
    21606: "from_number is not this account's, or cannot send SMS",
    21609: "Twilio cannot call EARFUL_PUBLIC_URL for receipts; it must be a public https address",
    21659: "from_number is not one of Twilio's numbers for that country",
    21660: "from_number belongs to another account",
    21701: "there is no such messaging service; check messaging_service_sid",
    21703: "the messaging service has no numbers; add one in Twilio's console",
    21704: "the messaging service has no number that fits; add one in Twilio's console",
    21705: "messaging_service_sid is not valid",
}

_REJECTED = {
    21211: "this is not a valid phone number",
    21214: "this number cannot be reached",
    21217: "this is not a valid phone number",
    21408: "sending to this country is switched off; allow it under Messaging, Geo permissions in Twilio's console",
    21421: "this is not a valid phone number",
    21602: "the text is empty",
    21608: "a trial account writes to verified numbers only",
    21612: "there is no way from this sender to that number",
    21614: "this number cannot receive SMS",
    21617: "the text is too long",
}


def refusal(status: int, code: object, retry_after: str = "") -> ChannelError:
    """The error for an answer of Twilio's with this HTTP status and `code`. Its `message` is never quoted: it names the
    customer's number."""
    number = code if type(code) is int else 0
    said = f"Twilio error {number or status}"
    if status == 429 or number == 20429:
        seconds = float(retry_after) if retry_after.isdecimal() else RETRY_SECONDS
        seconds = min(max(seconds, RETRY_SECONDS), LONGEST_RETRY)
        return RetryAfter(f"{said}: too many requests at once", seconds, "account")
    if number == _QUEUE_FULL:
        return RetryAfter(f"{said}: the number's queue is full", QUEUE_SECONDS, "account")
    if number == _OPTED_OUT:
        return Blocked(f"{said}: this person opted out; only their START brings them back")
    if number in _MISCONFIGURED or status in (401, 403, 404):
        return Misconfigured(f"{said}: {_MISCONFIGURED.get(number, 'the account may not send; see its console')}")
    if status == 503:
        return Unavailable(f"{said}: unavailable; nothing was sent")
    if status >= 500:
        return OutcomeUnknown(f"{said}: failed on their side; the message may have been sent")
    return Rejected(f"{said}: {_REJECTED.get(number, 'the message was refused')}")
