"""Feedback that is half content: "还行吧，就是有点慢", "fine, just a bit slow". It is worth hearing, and it is the
customer's to say whether it shall become a case."""

from __future__ import annotations

import re

LONGEST = 60
"""Characters; who writes more than this has something to be looked into."""

_CONTENT = re.compile(
    r"还行|还好(?!意思)|还可以|还不错|还算|挺好|挺不错|蛮好|蛮不错|整体不错|总体不错|总体还|凑合|马马虎虎|一般般|过得去|勉强可以"
    r"|(?<!没)(?<!不)(?<!什么)问题不大|没什么大问题|没有大问题"
    r"|\b(?:fine|okay|ok|alright|all right|not bad|not too bad|decent|so-so|so so|pretty good|quite good|mostly good"
    r"|generally good|good overall|overall good|happy overall|acceptable|nothing major|minor)\b",
    re.IGNORECASE,
)
_HARDER = re.compile(
    r"投诉|举报|退款|退货|赔|骗|垃圾|太差|很差|极差|差评|气死|生气|恶心|坏了|破了|碎了|丢了|没到|不行|不可以|不满意|失望|还行吗|还可以吗"
    r"|\b(?:complain\w*|complaint|refund|return|broken?|damaged|missing|lost|never|terrible|awful|horrible|worst|angry"
    r"|furious|scam\w*|unacceptable|not (?:fine|ok|okay|good|acceptable|happy)|isn'?t (?:fine|ok|okay|good))\b",
    re.IGNORECASE,
)


def is_mild(text: str) -> bool:
    """Whether the words say that it was all right by and large, and name nothing that must be put right."""
    return len(text) <= LONGEST and bool(_CONTENT.search(text)) and not _HARDER.search(text)
