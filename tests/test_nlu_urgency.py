"""Urgency: what must alarm, and what only sounds like it."""

from __future__ import annotations

import pytest
from test_nlu_heldout import shipped, trained

URGENT = """
充电的时候插座突然着火了，沙发烧了一个洞
热水器漏电，我老婆被电了一下
孩子吃了你们的果冻噎住了，送医院了
喝完全家上吐下泻，现在在急诊
刹车突然失灵，差点撞上人
电梯下坠，我妈被困在电梯里半个小时
菜里吃出一块玻璃碴，把我嘴划破流血了
用了面膜整张脸烂了，医生说要毁容
家里一股煤气味，你们的灶具是不是漏煤气
你们的师傅动手打人，我已经报警
我的卡被盗刷了两万多
账户里的钱没了，一共八万
被你们业务员骗了十五万
老板跑路了，我们的预付款全没了
小区上百户停水三天，大家准备集体投诉
我们几十个业主已经建了维权群
再不退钱我就打12315
三天内不解决我就找媒体曝光
已经向银保监会反映了
法院见吧，律师函这两天就到
不给说法我就发抖音让全网看看
我要去消协告你们
手机在口袋里冒烟，大腿烫伤了
司机一路尾随我到家门口
The charger exploded and burned my daughter's hand
There is smoke coming out of the washing machine
I was rushed to hospital after eating your chicken
My mother is stuck in the lift and nobody answers
The brakes failed on the motorway
I found glass in my food and my gums are bleeding
Your driver followed me home and threatened to hurt me
I can smell gas since your technician left
My son had a severe allergic reaction, the label said no nuts
Someone used my card and took $4,000 from my account, it was stolen
My account was hacked and my savings are gone
There are payments I didn't make, over 2,000 pounds stolen
Hundreds of customers are affected, we are preparing a class action
All the residents of this building are filing a joint complaint
I am contacting my lawyer today
If I don't get my money by Friday I will go to the press
I have reported you to trading standards
See you in court
I've already filed a police report
This is going viral, I will post it everywhere
"""

NOT_URGENT = """
质量烂到爆炸
味道好吃到爆炸
气炸了，等了一个小时
笑死我了哈哈
饿死了怎么还没到
这个媒体卡能插吗
怕拉肚子没敢吃
担心会漏电，所以还没用
这款会不会爆炸
充电宝能带上飞机吗，会不会着火
幸好没有人受伤
12315是什么电话
附近有医院吗
医院旁边那家店几点开门
刀片锋利，刮得很干净
辣到冒烟，过瘾
钱包大出血，但是值
跳楼价，太便宜了
做的炸鸡是现炸了一盘，很香
音质炸裂，太棒了
在医院住院期间护士照顾得特别好，谢谢你们
希望改进一下包装
衣服有点大
快递慢了两天
客服态度一般
This album is on fire
The smoked salmon is to die for
My phone died on the bus
What a killer deal
The price is a sticker shock
Is there a risk it could explode?
I was afraid it would catch fire, so I returned it unopened
Nobody was hurt, thank you
An explosion of flavour
What is the Better Business Bureau?
Do you sell fire extinguishers?
It's near the hospital
The blades are razor sharp, great
I'm dying to try it
He hit me up about the order
Please add a dark mode
The jeans are a bit long
Delivery was a day late
The media player freezes
"""


def test_danger_loss_groups_and_threats_alarm() -> None:
    """At least 95 of 100 urgent messages are urgent (R2.3), each with the words that say so."""
    texts = URGENT.strip().splitlines()
    found = trained().parse_many(texts)
    missed = [each.text for each in found if each.urgency != "urgent"]
    assert len(missed) <= 0.05 * len(texts), missed
    assert all(each.evidence for each in found if each.urgency == "urgent")


def test_idioms_fears_denials_and_questions_do_not() -> None:
    """At most 5 of 100 messages that only sound alarming are urgent."""
    texts = NOT_URGENT.strip().splitlines()
    false = [each.text for each in trained().parse_many(texts) if each.urgency == "urgent"]
    assert len(false) <= 0.05 * len(texts), false


@pytest.mark.parametrize(
    ("text", "urgency"),
    [
        ("客服态度极其恶劣，东西也是坏的，太气人了", "important"),
        ("Terrible quality and rude staff, I am furious", "important"),
        ("建议增加一个夜间模式", "normal"),
        ("怎么申请退货", "normal"),
        ("送餐很快，谢谢", "normal"),
        ("How long does a refund take?", "normal"),
    ],
)
def test_between_urgent_and_normal_stand_clear_complaints(text: str, urgency: str) -> None:
    """Clear dissatisfaction is important; questions, suggestions and praise are normal."""
    assert trained().parse(text).urgency == urgency


SEEN_BY_MEANING = [
    "隔壁装修队把承重墙砸了，楼板往下沉",
    "老人喝了你们送的消毒水，以为是饮料",
    "孩子被你们的充气城堡压在下面出不来",
    "The crane hook swung loose right above the playground",
    "Grandpa drank the descaler your man left in a juice bottle",
    "My twins are locked inside the car and the app won't open it, it's 38 degrees",
]
EVERYDAY = [
    "外卖晚了半小时，汤都凉了",
    "鞋子开胶了，想换一双",
    "The sofa is late again, I'm annoyed",
    "Wrong size, please swap",
]


def test_danger_is_understood_without_a_word_of_alarm() -> None:
    """What no list has a word for is heard by the heads, at the latest by those over the encoders; an everyday
    complaint stays one."""
    fast, cascade = shipped()
    missed = [each.text for each in cascade.parse_many(SEEN_BY_MEANING) if each.urgency != "urgent"]
    assert len(missed) <= 1, missed
    assert all(each.urgency != "urgent" for each in cascade.parse_many(EVERYDAY))
    assert all(each.urgency != "urgent" for each in fast.parse_many(EVERYDAY))
