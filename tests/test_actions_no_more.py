"""Nothing more to say: one answer, and never two that contradict."""

from __future__ import annotations

import pytest

from bot.actions.no_more import no_more


@pytest.mark.parametrize(
    "text",
    [
        "没有别的了",
        "没别的了。",
        "没有其他的了，谢谢",
        "就这些",
        "暂时没有了",
        "没有要补充的了",
        "Nothing else",
        "No, that's all!",
        "that is it",
    ],
)
def test_nothing_more_is_heard(text: str) -> None:
    """In both languages, whatever the punctuation."""
    assert no_more(text)


@pytest.mark.parametrize(
    "text",
    [
        "没有收到货",
        "没有订单号",
        "没有人联系我",
        "就这样对待客户吗",
        "nothing works",
        "that's all wrong",
        "no more delays please",
        "",
        "？",
    ],
)
def test_something_said_is_no_end(text: str) -> None:
    """Words that begin alike say something."""
    assert not no_more(text)
