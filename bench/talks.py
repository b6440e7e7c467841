"""What the customers say. Times, numbers and much of the words were never seen before by anything that was trained."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """What a customer does next: says `words`, or taps the button `tapped` (from 0) of the last message that has any;
    and to how many replies that leads."""

    words: str = ""
    tapped: int | None = None
    replies: int = 1


Talk = Callable[[int, random.Random], Sequence[Step]]
"""A conversation by its number."""


GREETINGS = ("你好", "您好", "在吗", "hello", "hi there", "good morning")
COMPLAINTS = (
    "快递三天没到,客服也不理我",
    "收到的东西是坏的",
    "等了一个星期还没发货",
    "客服态度太差了",
    "My order arrived broken and nobody answers",
    "the delivery is three days late",
)
RATINGS = ("给你们打9分", "四星", "two stars", "3分吧", "I give you 8/10", "五星好评")

_THINGS = ("电饭煲", "羽绒服", "蓝牙耳机", "落地灯", "儿童手表", "行李箱", "咖啡机", "床垫")
_FAULTS = (
    "用了{n}天就坏了，怎么弄都没反应",
    "少发了{n}个配件，说明书也没有",
    "和页面上写的完全不一样，尺寸差了{n}厘米",
    "外壳裂了{n}道缝，明显是别人退回来的",
    "等到第{n}天还没送到，物流一直没动",
    "充{n}个小时电也开不了机",
)
_ENGLISH_THINGS = ("suitcase", "down jacket", "floor lamp", "mattress", "headset")
_ENGLISH_FAULTS = (
    "My {what} is {n} cm shorter than your page says",
    "my {what} stopped working after {n} days",
    "The {what} was promised {n} days ago and has not moved since",
    "got my {what} with {n} scratches on it, looks used",
)
_MATTERS = ("发票", "运费", "优惠券", "换货", "退款", "会员积分", "保修", "送货时间")
_ASKED = (
    "请问{n}号下的单{what}是怎么算的",
    "{what}这块我看了{n}遍规则还是没弄明白，怎么弄",
    "买{n}件的话{what}有什么说法",
)
_ENGLISH_MATTERS = ("the invoice", "shipping", "a coupon", "an exchange", "the refund", "the warranty")
_ENGLISH_ASKED = (
    "if I buy {n} of them, how does {what} work?",
    "I read the page {n} times, what about {what}?",
    "can you explain {what} for an order of the {n}th?",
)


def plain(number: int, rng: random.Random) -> list[Step]:
    """Greet, complain, give the order number, rate: one case. Order numbers were never seen before."""
    return [
        Step(rng.choice(GREETINGS)),
        Step(rng.choice(COMPLAINTS), replies=2),  # the case's number, and the question for the order
        Step(_order(number, rng)),
        Step(rng.choice(RATINGS)),
    ]


def mixed(number: int, rng: random.Random) -> list[Step]:
    """As people do who have buttons: greet, tap "report a problem", tell it, give the order number, ask something,
    rate. Of six messages two are words that nobody has seen before, and one is a tap."""
    chinese = rng.random() < 0.5
    told, asked = (_told(rng), _asked(rng)) if chinese else (_told_in_english(rng), _asked_in_english(rng))
    return [
        Step(rng.choice(GREETINGS[:3] if chinese else GREETINGS[3:])),
        Step(tapped=0),
        Step(told, replies=2),
        Step(_order(number, rng)),
        Step(asked),
        Step(rng.choice(RATINGS)),
    ]


TALKS = {"plain": plain, "mixed": mixed}


def _order(number: int, rng: random.Random) -> str:
    order = f"{20260000000 + number * 7919 % 99999999}"
    return rng.choice((f"订单号 {order}", f"order number {order}", order))


def _told(rng: random.Random) -> str:
    return f"{rng.randint(2, 28)}号买的{rng.choice(_THINGS)}" + rng.choice(_FAULTS).format(n=rng.randint(2, 99))


def _told_in_english(rng: random.Random) -> str:
    return rng.choice(_ENGLISH_FAULTS).format(what=rng.choice(_ENGLISH_THINGS), n=rng.randint(2, 99))


def _asked(rng: random.Random) -> str:
    return rng.choice(_ASKED).format(n=rng.randint(2, 28), what=rng.choice(_MATTERS))


def _asked_in_english(rng: random.Random) -> str:
    return rng.choice(_ENGLISH_ASKED).format(n=rng.randint(4, 20), what=rng.choice(_ENGLISH_MATTERS))
