"""Twilio's Messages API on port 0, as documented: basic auth, form bodies, error codes, opt-outs; and its webhooks."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from aiohttp import web
from fake_platform import Call, FakePlatform
from twilio.request_validator import RequestValidator

ACCOUNT_SID = "AC" + "0123456789abcdef" * 2
AUTH_TOKEN = "f0e1d2c3b4a5968778695a4b3c2d1e0f"
OUR_NUMBER = "+15005550006"


@dataclass(frozen=True)
class Sms:
    """An SMS that went out."""

    sid: str
    to: str
    sender: str
    body: str
    callback: str


def signed_headers(url: str, body: bytes, auth_token: str = AUTH_TOKEN) -> dict[str, str]:
    """Headers as Twilio sends them, signed by Twilio's own library."""
    fields = dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    computed = RequestValidator(auth_token).compute_signature(url, fields)
    return {"content-type": "application/x-www-form-urlencoded; charset=UTF-8", "x-twilio-signature": computed}


class FakeTwilio(FakePlatform):
    """`opted_out` are numbers that replied STOP, `landlines` such as take no SMS."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Sms] = []
        self.opted_out: set[str] = set()
        self.landlines: set[str] = set()
        self._numbers = 0

    async def answer(self, call: Call) -> web.Response:
        pair = base64.b64encode(f"{ACCOUNT_SID}:{AUTH_TOKEN}".encode()).decode()
        if call.headers.get("Authorization") != f"Basic {pair}":
            return self._refuse(401, 20003, "Authenticate")
        if (call.method, call.path) != ("POST", f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"):
            return self._refuse(404, 20404, f"The requested resource {call.path} was not found")
        asked = dict(parse_qsl(call.body.decode(), keep_blank_values=True))
        to, body, service = asked.get("To", ""), asked.get("Body", ""), asked.get("MessagingServiceSid", "")
        if not asked.get("From") and not service:
            return self._refuse(400, 21603, "A 'From' or 'MessagingServiceSid' parameter is required to send a message")
        if asked.get("From", OUR_NUMBER) != OUR_NUMBER:
            return self._refuse(400, 21606, f"The 'From' phone number provided ({asked['From']}) is not a valid number")
        if not to.startswith("+") or not to[1:].isdecimal():
            return self._refuse(400, 21211, f"The 'To' number {to} is not a valid phone number.")
        if to in self.landlines:
            return self._refuse(400, 21614, f"'To' number is not a valid mobile number: {to}")
        if to in self.opted_out:
            return self._refuse(400, 21610, "Attempt to send to unsubscribed recipient")
        if not body.strip():
            return self._refuse(400, 21602, "Message body is required.")
        if len(body.encode("utf-16-le")) > 3200:
            return self._refuse(400, 21617, "The concatenated message body exceeds the 1600 character limit.")
        self._numbers += 1
        sms = Sms(f"SM{self._numbers:032x}", to, asked.get("From", service), body, asked.get("StatusCallback", ""))
        self.sent.append(sms)
        shown = {
            "sid": sms.sid,
            "account_sid": ACCOUNT_SID,
            "to": to,
            "from": asked.get("From"),
            "messaging_service_sid": service or None,
            "body": body,
            "status": "accepted" if service else "queued",
            "num_segments": "0" if service else "1",
            "error_code": None,
        }
        return web.json_response(shown, status=201)

    def write(self, sender: str, text: str) -> bytes:
        """What arrives when a person writes: the form, to be signed with `signed_headers`."""
        self._numbers += 1
        sid = f"SM{self._numbers:032x}"
        fields = {"MessageSid": sid, "SmsSid": sid, "AccountSid": ACCOUNT_SID, "From": sender, "To": OUR_NUMBER}
        rest = {"Body": text, "NumMedia": "0", "NumSegments": "1", "SmsStatus": "received", "FromCity": ""}
        return urlencode({**fields, **rest}).encode()

    def report(self, sms: Sms, status: str, code: str = "") -> bytes:
        """The status callback for a message."""
        fields = {"MessageSid": sms.sid, "SmsSid": sms.sid, "SmsStatus": status, "MessageStatus": status, "To": sms.to}
        return urlencode({**fields, "From": sms.sender, **({"ErrorCode": code} if code else {})}).encode()

    def _refuse(self, status: int, code: int, message: str) -> web.Response:
        more = f"https://www.twilio.com/docs/errors/{code}"
        return web.json_response({"code": code, "message": message, "more_info": more, "status": status}, status=status)
