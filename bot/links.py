"""Signed links: whoever holds one may see or say just what it is for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot import tokens

SURVEY = "survey"
CASE = "case"
FORM = "form"
CHAT = "chat"


@dataclass(frozen=True, slots=True)
class Links:
    """`address` is the public address of the service, `secret` the server's."""

    address: str
    secret: bytes

    def survey(self, survey_id: int, expires_at: datetime | None = None) -> str:
        """The rating page of a survey."""
        return f"{self.address}/r/{tokens.sign(self.secret, SURVEY, str(survey_id), expires_at)}"

    def case(self, case_id: int) -> str:
        """A case's page: its state, a reply, the rating."""
        return f"{self.address}/c/{tokens.sign(self.secret, CASE, str(case_id))}"

    def read(self, purpose: str, token: str, now: datetime) -> int:
        """The id that a link of this purpose names. Raises BadToken, ExpiredToken."""
        payload = tokens.verify(self.secret, purpose, token, now)
        if not payload.isdecimal():
            raise tokens.BadToken("this is not one of our tokens")
        return int(payload)
