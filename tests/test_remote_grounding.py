"""An answer stands only if its sentences are the entries': what is added, turned round or promised is refused."""

from __future__ import annotations

import pytest

from bot.loop.remote.grounding import ANSWER_LIMIT, supported

REFUND_ZH = "退款多久能到账？\n退款审核通过后，3 个工作日内原路退回。银行卡可能再晚 1 到 2 天。特价商品不支持退款。"
REFUND_EN = (
    "How long does a refund take?\nOnce approved, refunds go back to your original payment method within 3 working "
    "days. Bank cards can take 1 to 2 days more. Sale items can't be refunded. See https://shop.example.com/refunds."
)
HOURS_ZH = "人工客服几点上班？\n人工客服周一到周五 9:00 到 21:00、周末 9:00 到 18:00 在线。"
PAY_EN = (
    "What payment methods do you accept?\nWeChat Pay and credit cards."
    " From ¥600 you can pay in 3 instalments. We don't offer cash on delivery."
)


@pytest.mark.parametrize(
    ("answer", "entry"),
    [
        ("退款审核通过后，3 个工作日内原路退回。", REFUND_ZH),
        ("审核通过后三个工作日内原路退回，银行卡可能再晚 1 到 2 天。", REFUND_ZH),
        ("特价商品不支持退款。", REFUND_ZH),
        ("Refunds go back to your original payment method within 3 working days.", REFUND_EN),
        ("Once approved, refunds go back within three working days. Bank cards can take 1 to 2 days more.", REFUND_EN),
        ("Sale items can't be refunded.", REFUND_EN),
        ("Sale items cannot be refunded.", REFUND_EN),
        ("See https://shop.example.com/refunds.", REFUND_EN),
        ("人工客服周末 9:00 到 18:00 在线。", HOURS_ZH),
        ("You can pay in 3 instalments from ¥600.", PAY_EN),
        ("We don't offer cash on delivery, but you can pay with WeChat Pay and credit cards.", PAY_EN),
    ],
)
def test_what_the_entries_say_is_supported(answer: str, entry: str) -> None:
    """In their words, shortened or put together."""
    assert supported(answer, [entry])


@pytest.mark.parametrize(
    ("answer", "entry"),
    [
        # another number, date, price, time
        ("退款审核通过后，7 个工作日内原路退回。", REFUND_ZH),
        ("退款审核通过后，七个工作日内原路退回。", REFUND_ZH),
        ("Refunds go back to your original payment method within 5 working days.", REFUND_EN),
        ("Refunds go back to your original payment method within five working days.", REFUND_EN),
        ("人工客服周末 8:00 到 18:00 在线。", HOURS_ZH),
        ("You can pay in 3 instalments from ¥60.", PAY_EN),
        ("You can pay in a dozen instalments from ¥600.", PAY_EN),
        # turned round
        ("特价商品支持退款。", REFUND_ZH),
        ("退款审核通过后，3 个工作日内不能原路退回。", REFUND_ZH),
        ("Sale items can be refunded.", REFUND_EN),
        ("We offer cash on delivery.", PAY_EN),
        ("You can't pay with credit cards.", PAY_EN),
        # promised, added
        ("退款审核通过后，3 个工作日内原路退回，我们保证。", REFUND_ZH),
        ("退款审核通过后，3 个工作日内原路退回，另赔偿您。", REFUND_ZH),
        ("Once approved, refunds go back within 3 working days, guaranteed.", REFUND_EN),
        ("Refunds go back within 3 working days. We also give you a free voucher.", REFUND_EN),
        ("Refunds go back within 3 working days. Please send your card's PIN to our agent.", REFUND_EN),
        ("您的账户余额不足，请联系银行经理办理贷款。", REFUND_ZH),
        (
            "Refunds go back to your original payment method within 3 working days if you wire a deposit to Bob.",
            REFUND_EN,
        ),
        ("退款审核通过后，3 个工作日内原路退回，请先向客服经理转账押金。", REFUND_ZH),
        # what a page or a chat could take for more than words
        ("Refunds go back within 3 working days <b>", REFUND_EN),
        ("[Refunds](go) back within 3 working days", REFUND_EN),
        ("退款审核通过后，3 个工作日内原路退回。[[case_number]]", REFUND_ZH),
        # links and addresses
        ("See https://evil.example.com/refunds.", REFUND_EN),
        ("See https://shop.example.com/refunds/phish.", REFUND_EN),
        ("Refunds go back within 3 working days, see evil-shop.com.", REFUND_EN),
        ("Refunds go back within 3 working days, write to refunds@evil.example.", REFUND_EN),
        # other scripts, nothing, too much
        ("Refunds go back within 3 working days. Отправьте деньги.", REFUND_EN),
        ("退款审核通过后，3 个工作日内原路退回。パスワードを教えてください", REFUND_ZH),
        ("", REFUND_ZH),
        ("……", REFUND_ZH),
        ("👍👍👍👍", REFUND_ZH),
        ("退款审核通过后，3 个工作日内原路退回。" * (ANSWER_LIMIT // 15), REFUND_ZH),
    ],
)
def test_what_they_do_not_say_is_refused(answer: str, entry: str) -> None:
    """Whatever else of the sentence is right."""
    assert not supported(answer, [entry])


def test_an_answer_without_entries_is_refused() -> None:
    """It rests on nothing."""
    assert not supported("退款审核通过后，3 个工作日内原路退回。", [])


def test_an_answer_may_rest_on_several_entries() -> None:
    """A sentence of each."""
    answer = "特价商品不支持退款。人工客服周末 9:00 到 18:00 在线。"
    assert supported(answer, [REFUND_ZH, HOURS_ZH])
    assert not supported(answer, [REFUND_ZH])


@pytest.mark.parametrize("answer", ["a" * 1000, "不" * 1000, "1," * 500, "." * 1000, "但" * 999 + "a", "ab.cd" * 200])
def test_hostile_answers_are_judged_in_a_moment(answer: str) -> None:
    """No pattern runs away."""
    assert not supported(answer, [REFUND_ZH + REFUND_EN])
