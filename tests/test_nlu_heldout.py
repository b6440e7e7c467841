"""Sentences that no model was trained on, and how well they are understood.

`trained` is the model that the other tests of nlu/ share; its intents come from ASSISTANT, a small assistant in Rasa's
format, and everything else from Earful's own seeds.
"""

from __future__ import annotations

import tempfile
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

from nlu import lexicon, rasa_data, seeds, stages
from nlu.model import Model, load_or_train
from nlu.normalise import normalise
from nlu.refine import Refiner

ASSISTANT_FILES = Path(__file__).parent.parent / "bot" / "assistant" / "data" / "nlu"
ASSISTANT = """\
version: "3.1"
nlu:
- intent: greet
  examples: |
    - 你好
    - 您好
    - 哈喽
    - 早上好
    - 在吗
    - 嗨，有人吗
    - hello
    - hi there
    - good morning
    - hey, anybody there
- intent: goodbye
  examples: |
    - 再见
    - 拜拜
    - 下次聊
    - 先这样，拜
    - bye
    - goodbye
    - see you later
    - talk to you soon
- intent: thank
  examples: |
    - 谢谢
    - 多谢啦
    - 谢谢你的帮助
    - 太感谢了
    - thanks
    - thank you so much
    - thanks for the help
    - cheers, appreciate it
- intent: complain
  examples: |
    - 快递三天没到,客服也不理我
    - 收到的东西是坏的
    - 我要投诉
    - 等了一个星期还没发货
    - my parcel never arrived
    - terrible service
    - I want to complain
    - my order arrived broken and nobody answers
- intent: give_rating
  examples: |
    - 给你们打[5](rating)分
    - [四](rating)星
    - 我打[8](rating)分
    - [9](rating)分
    - 五星好评
    - I give it [4](rating) stars
    - [two](rating) stars
    - [8](rating) out of 10
- intent: ask_human
  examples: |
    - 转人工
    - 我要找人工客服
    - 叫个真人来
    - 不想跟机器人说话
    - 接人工
    - talk to a human
    - let me speak to an agent
    - I want a real person
    - connect me to someone
- intent: ask_question
  examples: |
    - 退款多久到账
    - 你们几点开门
    - 怎么修改地址
    - 运费是多少
    - how long does a refund take
    - what are your opening hours
    - how do I change my address
    - how much is shipping
- intent: provide_contact
  examples: |
    - 我的电话是[13800000000](phone)
    - 邮箱[a@b.com](email)
    - 打这个号码找我
    - my email is [a@b.com](email)
    - you can call me on [555-123-4567](phone)
    - here is my number
- intent: affirm
  examples: |
    - 是的
    - 好的
    - 对
    - 可以
    - yes
    - sure
    - ok
    - that's right
- intent: deny
  examples: |
    - 不是
    - 不用了
    - 不要
    - 没有
    - no
    - nope
    - no thanks
    - not really
- lookup: branch
  examples: |
    - 浦东店
    - 徐家汇店
    - Camden
- synonym: 徐家汇店
  examples: |
    - 徐汇店
- regex: member_card
  examples: |
    - VIP-[0-9]{4}
- intent: name_card
  examples: |
    - 我的卡是[VIP-1234](member_card)
    - 会员卡号[VIP-9876](member_card)
    - my card is [VIP-5555](member_card)
    - 在[徐汇店](branch)买的
"""


@cache
def assistant() -> rasa_data.TrainingData:
    """ASSISTANT, read."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "nlu.yml").write_text(ASSISTANT, encoding="utf-8")
        return rasa_data.read(Path(folder))


@cache
def trained() -> Model:
    """The model of ASSISTANT; trained by one process for all, and again when anything it depends on has changed."""
    return load_or_train(assistant(), Path(tempfile.gettempdir()) / "earful-tests")


# polarity | a nature that is right (or several) | sentence
CHINESE = """
negative | service | 挂号机坏了三台，导诊台的人还在聊天
negative | service | 保险业务员买之前天天嘘寒问暖，买完连电话都不接
negative | logistics product | 冷链变成了热链，三文鱼到家都臭了
negative | logistics | 快件在集散中心躺了一星期，没人说得出原因
negative | logistics service | 说放物业了，物业说压根没见过这个件
negative | price | 首月九块九，第二个月悄悄扣了我一百二
negative | price | 才穿了一回，网店就半价甩卖，血亏
negative | price product | 同样一碗面，机场卖八十八
negative | product | 刚洗完第一水，T恤就缩成了童装
negative | product | 轮椅的刹车用两天就松了，老人坐着提心吊胆
negative | product | 书里缺了二十多页，正好是结尾
negative | product | 音箱一开大声就破音
negative | product | 麻辣烫里捞出来一截钢丝球
negative | service | 物业收费第一名，修灯泡要等一个月
negative | service | 跟培训机构退费，校长玩起了失踪
negative | service | 前台小姑娘全程黑脸，好像我是来讨债的
negative | service product | 空调修了四回还是滴水，师傅说就这样凑合用
negative | service | 我说一句她顶十句，第一次见这样做生意的
negative | product | 电动车标一百公里续航，六十公里就趴窝
negative | product | 面霜一涂就搓泥
negative | service complaint | 你们到底有没有人负责
negative | complaint | 体验感为零
negative | complaint product service | 一年不如一年，散了吧
negative | logistics service | 打了三次电话让改天送，还是趁我不在家扔门口
negative | price service | 手术费报价一个样，结账一个样
positive | praise | 导诊的护士一路把我奶奶领到诊室，真暖
positive | praise | 理赔员当天就来拍照，第三天钱就打过来了
positive | praise | 冷链包装很专业，打开还冒着凉气
positive | praise | 小哥爬六楼把冰箱背上来，水都没喝一口
positive | praise | 首月体验价很划算，到期还提醒我可以取消
positive | praise | 洗了十几水，领口一点没松
positive | praise | 这本书印得漂亮，送人很拿得出手
positive | praise | 音箱个头小，声音却很有底气
positive | praise | 麻辣烫料足汤鲜，冬天来一碗太舒服
positive | praise | 物业小张半夜十二点来通下水道，给他加鸡腿
positive | praise | 老师把孩子从倒数教到了前十，感激不尽
positive | praise | 酒店前台记得我不吃香菜，细节满分
positive | praise | 空调师傅手脚麻利，装完还教我妈怎么用
positive | praise | 续航跟标的一样，来回上班一周才充一次
positive | praise | 面霜吸收快，皮肤嫩嫩的
positive | praise | 一直担心售后，没想到处理得这么漂亮
positive | praise | 别家推来推去的事，你们一个电话就搞定了
positive | praise | 第三年续费了，说明一切
positive | praise | 挑了半天毛病，愣是没挑出来
positive | praise | 不愧是老字号
positive | praise | 虽说贵了几块，味道确实对得起
positive | praise | 取号、办理、拿证，一刻钟全搞定
positive | praise | 司机师傅主动帮忙放行李，车里香香的
positive | praise | 客服声音好听，人也耐心
positive | praise | 真香，已安利给全办公室
neutral | none | 我想办一张借记卡，要带什么
neutral | none | 请问儿科在几楼
neutral | none | 你们周日营业到几点
neutral | none | 两个大人一个小孩
neutral | none | 单号发你了
neutral | none | 我住浦东新区世纪大道
neutral | none | 好的，我知道了
neutral | none | 保单什么时候生效
neutral | none | 我是昨天下午来过的那位
neutral | none | 这个能用公积金付吗
"""

ENGLISH = """
negative | service | The clinic lost my file and then blamed me for it.
negative | service | My insurance agent vanished the day I signed.
negative | logistics product | The frozen fish arrived warm and smelling.
negative | logistics | It has been stuck at the sorting centre for eight days.
negative | logistics | The courier signed for it himself and drove off.
negative | price | The first month was a dollar, the second was ninety.
negative | price | They put it on clearance the week after I paid full price.
negative | price product | Eighteen bucks for airport noodles is daylight robbery.
negative | product | My shirt came out of the dryer fit for a doll.
negative | product | The wheelchair brake gave way on the second day.
negative | product | Twenty pages are missing, including the ending.
negative | product | The speaker distorts at half volume.
negative | product | Somebody's staple turned up in my curry.
negative | service | It took maintenance a month to change a bulb.
negative | service | The school principal dodges every call about the refund.
negative | service | The girl at reception looked at me like I owed her money.
negative | service product | Four visits and the boiler still drips.
negative | product | The scooter dies at half of the promised range.
negative | product | This moisturiser leaves my skin greasy and red.
negative | complaint service | Does anyone there take responsibility for anything?
negative | complaint | I have run out of patience with you.
negative | complaint service product | It used to be decent, now it's a shambles.
negative | service | I was put through to five departments and none could help.
negative | price service | The quote said two hundred, the invoice said six.
negative | service logistics | He threw the box at the door and walked away.
positive | praise | The nurse walked my grandmother all the way to the ward.
positive | praise | Claim filed on Monday, money in my account on Thursday.
positive | praise | Everything was still frozen solid when it came.
positive | praise | He carried a fridge up six floors and still smiled.
positive | praise | They reminded me before the trial ended so I wasn't charged.
positive | praise | A dozen washes later it still looks new.
positive | praise | A beautifully printed book, it makes a fine gift.
positive | praise | Small speaker, surprisingly big sound.
positive | praise | That curry warmed me to the bones.
positive | praise | The plumber came at midnight and left the place spotless.
positive | praise | My daughter went from hating maths to loving it.
positive | praise | Reception remembered I can't eat nuts.
positive | praise | The fitter was quick, tidy and showed mum how it works.
positive | praise | It goes as far as the brochure says.
positive | praise | My skin has never felt softer.
positive | praise | What others passed around for weeks you solved in one call.
positive | praise | Third year with them and I keep renewing.
positive | praise | I looked for something to criticise and came up empty.
positive | praise | A couple of dollars more, and well worth it.
positive | praise | In and out with my new licence in fifteen minutes.
positive | praise | The cabbie helped with our bags and the car smelled great.
positive | praise | Such a patient voice on the phone.
positive | praise | My whole office is hooked on it now.
positive | praise | Couldn't fault a single thing.
positive | praise | You people never disappoint.
neutral | none | I'd like to open a savings account, what do I bring?
neutral | none | Which floor is paediatrics on?
neutral | none | How late are you open on Sundays?
neutral | none | Two adults and one child.
neutral | none | I sent you the tracking number.
neutral | none | I live near the central station.
neutral | none | okay, understood
neutral | none | When does the policy start?
neutral | none | I'm the one who came in yesterday afternoon.
neutral | none | Can I pay part of it in cash?
"""


def labelled(block: str) -> list[tuple[str, list[str], str]]:
    """(polarity, natures, sentence) of each line."""
    rows = [line.split(" | ") for line in block.strip().splitlines()]
    return [(polarity, natures.split(), sentence) for polarity, natures, sentence in rows]


@cache
def shipped() -> tuple[Model, Refiner]:
    """What every installation starts with."""
    data = rasa_data.read(ASSISTANT_FILES)
    fast = load_or_train(data, Path(tempfile.gettempdir()))
    cascade = stages.load(fast, data)
    assert cascade is not None, "the shipped stages are not of the shipped examples: run python -m nlu.shipping"
    return fast, cascade


@pytest.mark.parametrize("block", [CHINESE, ENGLISH], ids=["zh", "en"])
def test_unseen_judgements_are_told_apart(block: str) -> None:
    """Hardly any of these sentences has a plain judging word, and still 60 of 100 judgements are heard right; what
    judges nothing is never an alarm."""
    rows = labelled(block)
    found = trained().parse_many([sentence for _, _, sentence in rows])
    judged = [(polarity, each) for (polarity, _, _), each in zip(rows, found, strict=True) if polarity != "neutral"]
    right = sum(each.sentiment.label == polarity for polarity, each in judged)
    assert right >= 0.6 * len(judged), [each.text for polarity, each in judged if each.sentiment.label != polarity]
    plain = [each for (polarity, _, _), each in zip(rows, found, strict=True) if polarity == "neutral"]
    assert sum(each.sentiment.label == "neutral" for each in plain) >= 0.5 * len(plain)
    assert all(each.urgency == "normal" for each in plain)


@pytest.mark.parametrize("with_encoders", [False, True], ids=["fast", "cascade"])
@pytest.mark.parametrize("block", [CHINESE, ENGLISH], ids=["zh", "en"])
def test_unseen_complaints_go_to_the_right_place(block: str, with_encoders: bool) -> None:
    """The main nature of at least 70 of 100 complaints is one that is right, as Earful ships: by the fast heads that a
    reply waits for, and by the encoders behind them."""
    rows = [(natures, sentence) for polarity, natures, sentence in labelled(block) if polarity == "negative"]
    fast, cascade = shipped()
    found = (cascade if with_encoders else fast).parse_many([sentence for _, sentence in rows])
    wrong = [(each.text, each.nature) for (natures, _), each in zip(rows, found, strict=True)
             if each.nature[0] not in natures]  # fmt: skip
    assert len(wrong) <= 0.3 * len(rows), wrong


def test_no_held_out_sentence_is_nearly_a_seed() -> None:
    """Held-out sentences measure something: half of its character triples stand in no one seed."""
    words = lexicon.load()
    known = [_triples(normalise(seed.text, words.table)) for seed in seeds.load(words.aspects)]
    for _, _, sentence in chain(labelled(CHINESE), labelled(ENGLISH)):
        held = _triples(normalise(sentence, words.table))
        assert max(len(held & seed) for seed in known) <= 0.5 * len(held), sentence


def _triples(text: str) -> set[str]:
    plain = "".join(character for character in text if character.isalnum())
    return {plain[start : start + 3] for start in range(len(plain) - 2)}
