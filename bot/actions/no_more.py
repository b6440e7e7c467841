"""Words that say there is nothing more to say: an answer to what we asked, and no question of theirs."""

from __future__ import annotations

import re

_ZH = re.compile(
    r"(?:暂时|目前|应该|好像|我)?(?:没有?|无)(?:什么|啥)?(?:别的|其他|其它|更多|要?补充|要说)?(?:信息|问题|事情?|情况)?的?(?:要说|补充|可说)?的?"
    r"(?:了|啦|吧)?(?:谢谢您?你?)?|(?:就|只有)(?:这些|这样|这么多)(?:了|吧)?(?:谢谢您?你?)?"
)
_EN = re.compile(
    r"(?:no|nope|nah)?(?:nothing(?:else|more|furthertoadd|elsetoadd|toadd)?|thatsall|thatisall|thatsit|thatisit|"
    r"thatseverything|thatiseverything|nomore|noneelse)(?:for)?(?:now)?(?:fromme)?(?:thanks|thankyou)?"
)
_SIGNS = re.compile(r"[\W_]+")


def no_more(text: str) -> bool:
    """Whether the whole message says so: 没有别的了, 就这些, "nothing else", "no, that's all"."""
    said = _SIGNS.sub("", text.casefold())
    return 1 < len(said) <= 40 and bool(_ZH.fullmatch(said) or _EN.fullmatch(said))
