"""Knowledge search: finds the entry that is meant, and knows when none is."""

# ruff: noqa: E501 - Chinese counts double, and rows of examples read best as rows

from __future__ import annotations

import pytest

from nlu.retrieval import Entry, Retriever
from nlu.understanding import Language

# key | phrasings | questions that stand in no phrasing
CHINESE = """
refund_time | 退款多久到账 / 申请退款后几天能收到钱 / 退款什么时候退回来 | 我的退款咋还没到 / 钱退回卡里要等多长时间 / 退款周期是几天
return_rule | 怎么申请退货 / 不想要了可以退吗 / 七天无理由退货规则 | 买了不喜欢能退掉吗 / 退货要怎么操作 / 拆开了还给退不
return_fee | 退货运费谁出 / 退货的快递费怎么算 / 运费险怎么赔 | 寄回去的邮费要我自己掏吗 / 退回来的运费能报销不 / 运费险赔多少
ship_time | 下单后多久发货 / 什么时候发货 / 几天能发出 | 今天拍今天能发吗 / 付完款几天寄出来 / 啥时候给我发呀
where_parcel | 怎么查物流 / 我的快递到哪了 / 在哪里看物流信息 | 帮我看看包裹走到哪里了 / 物流进度在哪查 / 快递单号从哪儿看
change_address | 怎么修改收货地址 / 下单后地址写错了怎么办 / 能换个地址吗 | 地址填错了能改不 / 我想送到另一个地方 / 收件地址可以更换吗
cancel_order | 怎么取消订单 / 下单后不想要了怎么取消 / 订单能撤销吗 | 刚拍的单子不要了 / 还没发货能不能撤单 / 订单怎么作废
invoice | 怎么开发票 / 可以开专票吗 / 电子发票在哪下载 | 发票去哪里领 / 能补开一张票吗 / 抬头写公司的发票怎么弄
pay_ways | 支持哪些付款方式 / 可以用微信支付吗 / 能货到付款吗 | 能不能刷信用卡 / 支付宝行不行 / 都有什么方式可以付钱
instalments | 可以分期付款吗 / 分期有利息吗 / 怎么选择分期 | 能分几期 / 分期要手续费不 / 想分十二期怎么弄
coupon | 优惠券怎么用 / 优惠券为什么用不了 / 红包在哪里领 | 券点不了是什么情况 / 哪儿能领到优惠 / 两张券能叠加吗
points | 积分怎么兑换 / 积分有什么用 / 积分会过期吗 | 攒的积分能换啥 / 我的积分啥时候清零 / 积分可以抵现金不
vip | 怎么成为会员 / 会员有什么权益 / 会员怎么升级 | 开通会员有啥好处 / 怎么升到金卡 / 会员一年多少钱
warranty | 保修期多久 / 保修范围包括什么 / 过保了还能修吗 | 质保几年 / 人为摔坏保不保 / 超过保修期修一下多少钱
repair_place | 维修点在哪里 / 附近有售后网点吗 / 可以上门维修吗 | 去哪儿修 / 师傅能到家里来修吗 / 最近的售后门店地址
hours | 你们几点开门 / 营业时间是什么时候 / 周末上班吗 | 晚上几点关门 / 星期天有人吗 / 早上最早几点能去
store_address | 你们店在哪里 / 门店地址是什么 / 怎么去你们店 | 实体店位置发我一下 / 坐地铁怎么到 / 你家开在哪条路
password | 忘记密码怎么办 / 怎么修改密码 / 密码找不回来 | 登录密码想不起来了 / 我要重设密码 / 密码输错太多次被锁
phone_change | 怎么换绑手机号 / 手机号不用了怎么登录 / 修改绑定的手机 | 换了新号码怎么改 / 原来的号停机了登不进去 / 绑定电话能换吗
close_account | 怎么注销账号 / 账号能删除吗 / 注销后数据还在吗 | 我不想用了想销号 / 把我的账户删掉 / 注销要多久生效
no_code | 收不到验证码怎么办 / 验证码一直不来 / 短信验证码错误 | 验证码等半天没有 / 手机没收着验证短信 / 输验证码老说不对
size | 怎么选尺码 / 尺码表在哪里 / 一米七穿多大 | 我一百二十斤穿什么号 / 偏大还是偏小 / 衣服按平时码拍吗
install | 安装要收费吗 / 怎么预约安装 / 安装师傅什么时候来 | 送货的时候一起装吗 / 约个师傅上门装一下 / 装机要给钱不
price_match | 降价了可以退差价吗 / 价格保护怎么申请 / 保价多少天 | 刚买就便宜了能补差吗 / 价保规则是啥 / 买贵了退不退
exchange | 怎么换货 / 尺码不合适可以换吗 / 换一个颜色行吗 | 收到小了想换大一号 / 颜色不喜欢能换不 / 换货流程是什么
"""

STRAY_CHINESE = """
今天天气怎么样
给我讲个笑话
你是机器人吗
你们老板叫什么
股票明天会涨吗
世界杯谁赢了
帮我写一篇作文
一加一等于几
你吃饭了吗
北京到上海多少公里
怎么做红烧肉
孩子发烧了怎么办
这首歌谁唱的
你多大了
太阳为什么东升西落
附近有什么好玩的
帮我订张机票
明天几号
你会说英语吗
推荐一部电影
客服态度太差了
我很生气
谢谢你们
东西真不错
我要投诉
上次那个事处理得怎么样了
嗯嗯好的
我再想想
服务员很热情
饭菜凉了没法吃
"""

# key | phrasings | questions that stand in no phrasing
ENGLISH = """
refund_time | How long does a refund take? / When will I get my money back? / Refund processing time | my refund still isn't in my account / how many days until the refund shows up / when do you pay the refund
return_rule | How do I return an item? / What is your return policy? / Can I send it back if I don't like it? | i changed my mind and want to give it back / what are the rules for returning stuff / is it ok to return an opened box
return_fee | Who pays for return shipping? / Is returning free? / Do I have to pay postage for a return? | are returns at my cost / will you cover the postage when i send it back / how much is it to ship a return
ship_time | When will my order ship? / How soon do you dispatch orders? / How long before you send it out? | if i order today does it go out today / time until dispatch / how fast do you ship
where_parcel | Where is my parcel? / How do I track my order? / Where can I find the tracking number? | has my package moved / i want to follow my delivery / where do i see how far my order is
change_address | How do I change my delivery address? / I entered the wrong address / Can you send it to another address? | i moved, please update where it ships / typo in my street name / can this go to my office instead
cancel_order | How do I cancel my order? / Can I cancel before it ships? / I don't want the order any more | please stop my order / i ordered by mistake / is it too late to cancel
invoice | How do I get an invoice? / Can I download a receipt? / I need an invoice for my company | send me the receipt please / where are my bills / invoice with vat number
pay_ways | Which payment methods do you accept? / Can I pay with PayPal? / Do you take credit cards? | is cash on delivery possible / can i use apple pay / what are the ways to pay
instalments | Can I pay in instalments? / Is there interest on instalments? / Do you offer financing? | split the cost over months / pay monthly for it / how many instalments can i choose
coupon | How do I use a promo code? / My coupon doesn't work / Where can I find discount codes? | code says invalid at checkout / can i combine two vouchers / where do i enter the voucher
points | How do I redeem my points? / What are loyalty points worth? / Do points expire? | use points instead of money / when do i lose my points / how much is a point worth
vip | How do I become a member? / What are the benefits of membership? / How much is the membership? | what do members get / sign up for the gold tier / yearly price of being a member
warranty | How long is the warranty? / What does the warranty cover? / Can you repair it after the warranty? | is accidental damage covered / guarantee period / it is out of warranty what now
repair_place | Where can I get it repaired? / Is there a service centre near me? / Do you repair at home? | nearest repair shop / can someone come to my house to fix it / where do i bring a broken one
hours | What are your opening hours? / When do you open? / Are you open on weekends? | what time do you close tonight / is anyone there on sunday / how early can i come
store_address | Where is your shop? / What is the store address? / How do I get to you? | which street are you on / location of the nearest branch / directions to your store
password | I forgot my password / How do I reset my password? / I can't log in with my password | locked out after wrong passwords / need a new password / can't remember my login
phone_change | How do I change my phone number? / My old number no longer works / Update the mobile number on my account | i got a new number / number on file is wrong / switch the phone linked to my account
close_account | How do I delete my account? / I want to close my account / What happens to my data if I leave? | remove my profile please / shut down my account / erase my personal data
no_code | I don't receive the verification code / The text code never arrives / My verification code is wrong | no sms with the code / it says the code is invalid / still waiting for the verification text
size | Which size should I order? / Where is the size chart? / Does it run small? | i'm 180 cm what do i take / between m and l / are the sizes true
install | Does installation cost extra? / How do I book an installation? / When will the installer come? | can you set it up when you deliver / schedule a technician to install it / is installing included
price_match | Do you match prices? / The price dropped after I bought it / Can I get the difference back? | it's cheaper now than when i paid / found it for less elsewhere / price protection
exchange | How do I exchange an item? / Can I swap it for another size? / I want a different colour | too small, need the next size up / trade it for the blue one / exchange procedure
"""

STRAY_ENGLISH = """
what's the weather like
tell me a joke
are you a robot
who is your boss
will stocks go up tomorrow
who won the match
write an essay for me
what is two plus two
did you have lunch
how far is the moon
how do i cook rice
my baby has a fever
who sings this song
how old are you
why is the sky blue
what can i do in rome
book me a flight
what day is it
do you speak spanish
recommend a film
the staff were rude
i am very angry
thank you all
lovely product
i want to complain
any news about what we discussed last time
ok fine
let me think about it
the waiter was so kind
the soup was cold
"""


def knowledge(block: str, language: Language) -> tuple[list[Entry], list[tuple[str, str]]]:
    """The entries of a block, and (key, question) for each question."""
    entries, asked = [], []
    for line in block.strip().splitlines():
        key, phrasings, questions = line.split(" | ")
        entries.append(Entry(key, language, tuple(phrasings.split(" / "))))
        asked += [(key, question) for question in questions.split(" / ")]
    return entries, asked


BLOCKS: list[tuple[str, str, Language, float]] = [
    (CHINESE, STRAY_CHINESE, "zh", 0.8),
    (ENGLISH, STRAY_ENGLISH, "en", 0.45),
]


@pytest.mark.parametrize(("block", "strays", "language", "recall"), BLOCKS, ids=["zh", "en"])
def test_paraphrases_find_their_entry(block: str, strays: str, language: Language, recall: float) -> None:
    """Most questions that share but some words with a phrasing find it first; nearly all find it among three."""
    entries, asked = knowledge(block, language)
    found = Retriever(entries).search_many([question for _, question in asked])
    first = [bool(hits) and hits[0].key == key for (key, _), hits in zip(asked, found, strict=True)]
    among = [any(hit.key == key for hit in hits) for (key, _), hits in zip(asked, found, strict=True)]
    assert sum(first) >= recall * len(asked)
    assert sum(among) >= (recall + 0.1) * len(asked)


@pytest.mark.parametrize(("block", "strays", "language", "recall"), BLOCKS, ids=["zh", "en"])
def test_half_parts_right_hits_from_strays(block: str, strays: str, language: Language, recall: float) -> None:
    """A score of .5 lets most right hits through, and few questions that no entry answers."""
    entries, asked = knowledge(block, language)
    retriever = Retriever(entries)
    right = [hits[0].score for (key, question) in asked if (hits := retriever.search(question)) and hits[0].key == key]
    stray = [hits[0].score if (hits := retriever.search(text)) else 0.0 for text in strays.strip().splitlines()]
    assert sum(score >= 0.5 for score in right) >= 0.65 * len(right)
    assert sum(score >= 0.5 for score in stray) <= 0.15 * len(stray)


@pytest.mark.parametrize(("block", "strays", "language", "recall"), BLOCKS, ids=["zh", "en"])
def test_a_phrasing_itself_is_found_for_sure(block: str, strays: str, language: Language, recall: float) -> None:
    """What stands in the knowledge base word for word is its entry, with a high score."""
    entries, _ = knowledge(block, language)
    retriever = Retriever(entries)
    for entry in entries:
        for phrasing in entry.phrasings:
            [hit, *_] = retriever.search(phrasing)
            assert hit.key == entry.key
            assert hit.score > 0.9


def test_one_base_holds_both_languages() -> None:
    """Entries of both languages live together, several under one key; a question finds the one it can be read with."""
    chinese, _ = knowledge(CHINESE, "zh")
    english, _ = knowledge(ENGLISH, "en")
    retriever = Retriever([*chinese, *english])
    assert retriever.search("退款几天能到")[0].key == "refund_time"
    assert retriever.search("when do i get my refund")[0].key == "refund_time"
    assert retriever.search("退貨運費誰出")[0].key == "return_fee"
    assert len({hit.key for hit in retriever.search("refund 退款", limit=5)}) == 5


def test_without_entries_or_shared_terms_nothing_is_found() -> None:
    """An empty base, an empty question and a question in another script find nothing; the limit is kept."""
    entries, _ = knowledge(CHINESE, "zh")
    assert Retriever([]).search("退款") == []
    assert Retriever([Entry("a", "zh", ())]).search("退款") == []
    retriever = Retriever(entries)
    assert retriever.search("") == []
    assert retriever.search("ᚠᚢᚦ") == []
    assert len(retriever.search("怎么退款", limit=1)) == 1
    assert len(retriever.search("怎么退款", limit=2)) == 2
    assert retriever.search_many([]) == []
