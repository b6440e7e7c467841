"""The kinds of values that callers give, each with what is refused."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from nlu.understanding import Language

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)

_LINE = r"^[^\x00-\x1f\x7f]*$"  # one line, without control characters


class Given(BaseModel):
    """What a caller sends: strictly typed, and nothing that we do not know."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)


def _moment(value: Any) -> Any:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError("write a time as 2026-03-05T10:00:00+08:00")
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("write a time as 2026-03-05T10:00:00+08:00") from None
    if found.tzinfo is None:
        raise ValueError("add the time zone: 2026-03-05T10:00:00+08:00, or Z for UTC")
    return found


def _in_range(value: datetime) -> datetime:
    if not EARLIEST <= value <= LATEST:
        raise ValueError(f"a time lies between {EARLIEST.year} and {LATEST.year}")
    return value.astimezone(UTC)


Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    AfterValidator(_in_range),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A time with its zone, as RFC 3339 writes it; UTC inside."""


def _language(value: str) -> Language | None:
    primary = value.replace("_", "-").split("-")[0].lower()
    return "zh" if primary == "zh" else "en" if primary == "en" else None


LanguageTag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})*$", max_length=35)]
"""Of a BCP 47 tag only the language counts: zh and en are spoken, another is as if it were not told."""


def spoken(tag: str | None) -> Language | None:
    """The language that we speak of a tag; None for one that we do not."""
    return None if tag is None else _language(tag)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("write a finite number")
    return value


Amount = Annotated[float, AfterValidator(_finite)]


def _line(longest: int) -> StringConstraints:
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=longest, pattern=_LINE)


Line40 = Annotated[str, _line(40)]
Line60 = Annotated[str, _line(60)]
Line90 = Annotated[str, _line(90)]
Line100 = Annotated[str, _line(100)]
Line200 = Annotated[str, _line(200)]
Line300 = Annotated[str, _line(300)]
Line500 = Annotated[str, _line(500)]


class AddressIn(Given):
    """Where a customer is reached."""

    channel: Line40 = Field(description="A channel of the settings: telegram, twilio, meta, web.")
    account: Line100 = Field(description="The account on it, as the settings name it.")
    address: Line300 = Field(
        description="The customer there, just as the channel names them: a chat id, a number such as +8613800138000."
    )


class CustomerIn(Given):
    """A customer. What is left out, or null, stays as it was."""

    id: Line200 = Field(description="Your own id of the customer.")
    name: Line200 | None = None
    language: LanguageTag | None = Field(None, description="zh or en, also as zh-CN; another counts as not told.")
    segment: Line100 | None = Field(None, description="Such as high_value.")
    revenue: Amount | None = Field(None, description="In your own currency.")
    addresses: list[AddressIn] = Field(max_length=20, description="In the order of preference; may be empty.")
