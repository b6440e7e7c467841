"""How ratings are written: the patterns of nlu.rating, of numbers, of giving, of what only looks like it."""

from __future__ import annotations

import re

from nlu.numerals import CHINESE, ENGLISH

NUMBER = rf"(?:\d{{1,3}}(?:\.\d)?|{CHINESE})"
ONE = {"一", "1"}
SENTENCE = re.compile(r"[^\w\s]+|\n")
AROUND = " \t\n\r,.;!?。、…~'\""
PRONOUN = (
    r"(?:你们?|您|他们?|她们?|它们?|咱们?|贵司|商家|店家|卖家|店铺|客服|师傅|骑手|小哥|快递|物流|老师|医生|司机"
    r"|你们?家|护士|物业|管家|保洁|保安|前台|店员|店长|柜员|导游|教练|技师|阿姨|顾问|经理|主播|房东|中介)"
)
THING = (
    r"(?:总体|整体|综合|总分|服务|态度|质量|味道|口味|口感|环境|物流|速度|配送|卫生|价格|体验|满意度|评分|打分|分数|客服|师傅|"
    r"骑手|外卖|商品|产品|描述|包装|效率|性价比|颜值|外观|质感|房间|早餐|位置|这次|本次|今天|这家|这个|这单|我|的|是|为|就|只有|只值|"
    r"的话|下来|全部|要我说|我觉得|个人|非要|顶天|撑死|充其量|闭眼|无脑|手法|技术|专业|讲解|沟通|耐心|安全|舒适|舒适度|隔音|设施|设备|菜品|分量|"
    r"画质|音质|续航|手感|做工|面料|清洁|响应|售后|售前|安装|维修|教学|课程|流程|效果|内容|性能|界面|功能|交通|停车|景色|装修|氛围|"
    r"最多|顶多|勉强|(?:在)?我?(?:心里头?|心目中|这[儿里]|看来)|总的来[说讲看]|整体来说|说实话|讲真|凭良心说|才|那就|至少|起码|算|全|都|统统|必须|妥妥|满满|绝对|一律|果断|直接|差评|好评|\s)"
)
GIVES = re.compile(
    rf"(?:给|打|评|评价|评分|打分|赏|送上|奉上|献上|送(?=你|您|他|她|贵)|改|变|降|升|涨|选|投|值得|值|配得上|对得起|配|必须|妥妥|点(?=个))"
    rf"(?:{PRONOUN}|{THING}|个|一个|了|上|到|出|成|作|满分|满|评价|差评|好评)*$"
)
LABEL = re.compile(rf"(?:{PRONOUN}|{THING})*")
TAKEN = re.compile(
    r"(?:扣|减|差|加|考|积|涨|跌|丢|欠|省|罚|(?<!至)少|掉|第|高出|领先|落后|百|点|时|-)了?(?:我|你|他|掉)?\s*$"
)
UNREAL = re.compile(
    r"本来|原本|原来|本想|原想|曾经|以前|之前|上次|上回|去年|要不是|如果|要是|假如|除非|等.{1,8}再|默认|系统|自动"
    r"|别人|人家|网友|水军|其他人|别的(?:人|顾客|客人)|差一?点|险些|就差|怎么|如何|怎样|请问|哪[里儿]|能不能|可不可以|要不要|凭什么|为什么要"
    r"|谁[会能敢肯给]|(?:[他她们妹姐哥弟妈爸]|同事|室友|邻居|同学|朋友|闺蜜)说[^,]{0,6}$"
    r"|(?:让(?!我(?:打分|评分|来说|说))|叫|求|要求|逼|催|骗|刷|强制|诱导|索要)[^,]{0,6}$"
)
NOT = re.compile(
    rf"(?:不|没|别|无法|没法|难)(?:值|想|能|会|配|肯|愿意?|够|得|有|是|到|止|算|敢)*"
    rf"(?:给|打|评|值)?(?:{PRONOUN}|不了|个|了|上|到|出)*$|[给打配值]不(?:了|上|起|出)"
)
UNGIVING = re.compile(f"{TAKEN.pattern}|{UNREAL.pattern}|{NOT.pattern}")
SCALED = re.compile(rf"(?:给|打|评)(?:{PRONOUN}|{THING}|个|了|上|到|出)*(?P<n>{NUMBER})(?=$|[^\w%.]|吧|了|分)")
POINTS = re.compile(
    rf"(?<!\d:)(?<![\d.])(?P<n>{NUMBER})\s?分(?P<half>半)?"
    r"(?!半?[钟钱之店行期手秒类享析别部公开布配批付家机册组层数币米寸裤熟饱甜糖辣针贝歧辨辩割化身红子母泌裂叉散量贵明外文工列支百制满球])"
)
POINTS_GATE = re.compile(r"满分\s?\d|[\d零〇一二两俩三四五六七八九十百负]\s?分(?!钟)")
STARS_GATE = re.compile(r"[\d零〇一二两俩三四五六七八九十半颗粒个小]\s?星(?!期)")
NONE_AT_ALL = r"(?:都|也)(?:[不没懒][想愿肯会能配值给法得用嫌]|嫌)"
LEAST_POINTS = re.compile(rf"(?<![\d.十百点])(?P<n>[一1零0])\s?分{NONE_AT_ALL}|(?P<m>负)分(?!之|数)")
OF_SCALE = re.compile(
    rf"(?:的话|里|来说|当中|中)?,?\s?(?:{PRONOUN}|{THING})*(?P<n>{NUMBER})\s?分(?=\s*(?:$|[^\w\s]|吧|了))"
)
SCALE = re.compile(rf"满分(?:是|为)?\s?(?P<a>{NUMBER})\s?分?|(?P<b>{NUMBER})\s?分制")
STARS = re.compile(
    rf"(?<![\d.])(?P<n>{NUMBER}|半)\s?[颗粒个]?(?P<part>半)?小?星{{1,2}}(?P<half>半)?"
    r"(?!级|期|座|辰|球|巴|系|探|光|空|际|云|堆|的?酒店|宾馆|饭店|民宿|电器|红旗|的?手机|的?电视|平板|屏|品牌|显示器|集团|公司|笔记本"
    r"|冰箱|洗衣机|空调|内存|硬盘|固态|耳机|手表|\s?[a-z]?\d|\s?galaxy|\s?note|以[上下])"
)
LEAST_STARS = re.compile(rf"(?<![\d.十点])(?P<n>[一1零0])\s?[颗个]?星{{1,2}}{NONE_AT_ALL}")
REVIEW = re.compile(
    r"\s?(?:意思一下|好评|差评|中评|评价|推荐|支持|必须|奉上|送上|走起|给|吧|滴|啦|了|的?服务|的?体验|的?态度|也|都|不能再)(?!返)"
)
EDGE = re.compile(
    r"\s*(?:$|[^\w\s]|\n|吧|啊|呀|哦|喔|噢|呢|啦|了|嘛|哈|呗|噻|不能再|左右|以上|差不多|没问题|好评|差评|评价|我?(?:都|也|还)|给|送|,|谢|意思|是?因为|不过分|不为过|没毛病|奉上|送上|走人|拿去|收好)"
)
# What follows a number that nobody gives: a bargain for it, or a question about it.
UNGIVEN = re.compile(
    r"[^,。!;\n]{0,6}(?:返现|返红包|返\d|返[一二两三五十]|有礼|送礼|送红包|领红包|截图)"
    r"|都(?:找不|没|难|不(?!过分|为过|嫌|够))|[^,。!;?\n]{0,8}(?:吗|么|呢\?)\s*(?:[?。!]|$)"
)
SHARE = re.compile(r"\s?给(?!你|您|贵|力|到|满|$)")
SCORED = re.compile(r"[^\n]{0,6}(?:及格|打给|送给|评给|满分|不能再|给得|打得|奉上|送上)")
FULL = re.compile(r"满分(?!\s?[\d一五七十百]|是|为|制|作文|卷|答案)|满星|\bfull marks\b|\bperfect score\b|全五星")
NOT_FULL = re.compile(r"(?:不|没|非|离|算不上|够不上|几分|多少|怎么|别人)[^,]{0,4}$|本来|原本|如果|要是")
THUMBS = re.compile(r"[👍👎][🏻🏼🏽🏾🏿]?|\b(?:two )?thumbs[ -](?:up|down)\b")
STAR_SIGNS = re.compile(r"(?:[★⭐🌟☆✩]\s?)+")
BESIDE = re.compile(r"[\W_]+|(?:from|me|it|is|a|for|you|the|both|our|us|we|my|all|of|big|huge)\b")
ENGLISH_NUMBER = rf"\d{{1,3}}(?:\.\d)?|{ENGLISH}"
ENGLISH_STARS = re.compile(
    rf"(?<![\d.$])\b(?P<n>{ENGLISH_NUMBER}|no|negative|half a)(?P<half> and a half)?[ -]?stars?\b"
    r"(?![ -](?:rated )?(?:hotel|resort|motel|inn|general|restaurant|chef|dining|property|accommodation|trek|wars"
    r"|system|energy|players?|recruit))"
)
ENGLISH_GIVES = re.compile(
    r"\b(?:giv\w*|gave|rat(?:e|ed|ing)|scor(?:e|ed|ing)|leav\w*|left|deserv\w*|gets?|earn\w*|worth|award\w*"
    r"|mak(?:e|ing) (?=it|that|this)|(?:up|down)grad\w*|drop\w*|put(?:ting)? down"
    r"|put (?:it|this|that|them|you|him|her)(?= at| down)"
    r"|chang\w+(?= )|bump\w*"
    r"|lower\w*|rais\w*)"
    r"(?: ?\b(?:you|it|this|that|them|him|her|the \w+|these guys|this \w+|your \w+|my \w+|a|an"
    r"|only|just|even|full|solid|barely|to|up|down|from \w+(?: stars?)?|at|as|of|is|out|me|maybe|about|all|no more than"
    r"|(?:every one|each|all) of (?:its|those|these|the|their)"
    r"|more than))*[ :=]*$"
)
ENGLISH_UNREAL = re.compile(
    r"\b(?:would have|would've|could have|wanted to|was going to|were going to|almost|used to|usually|normally"
    r"|if|unless|once|how (?:do|can|to|would)|where (?:do|can)|can i|could i|should i|may i|do i"
    r"|am i|ask\w*|begg\w*|told|want(?:s|ed)? (?:me|us)|forc\w*|brib\w*|offer\w*|everyone|everybody|other people"
    r"|others|people who|who(?:'d| would| will| gives)|back in the day"
    r"|my friends?"
    r"|my \w+ (?:gave|rated|left|says|said)|last (?:time|year|month)"
    r"|previously|before i|thought|minus|docked|deduct\w*|knock\w*"
    r"|remov\w*|taking|took|tak(?:e|ing) off|lost|los(?:e|ing))\b"
)
ENGLISH_CLAUSE = re.compile(r"[^\w\s'’-]+|\s-+\s|\n|\b(?:but|now|however|instead)\b")
ENGLISH_THEN = re.compile(
    r" (?:\w+ ){0,2}(?:last (?:time|year|month|week|summer|winter)|back then|years? ago|months? ago)\b"
)
COUNTED = re.compile(
    r"\s?(?:page|piece|item|people|person|order|parcel|user|time|seat|ticket|file|mb|gb|%|day|步|页|件|人|个)"
)
ENGLISH_NOT = re.compile(r"\b(?:not|never|no|nowhere near|far from)\b|n't\b")
NO_MORE = re.compile(
    r"(?:can't|cannot|couldn't|won't|wouldn't|not) (?:give|go|rate)(?: (?:it|you|this|them))?"
    r" (?:more|higher|above)(?: than)? ?$"
)
ENGLISH_ALONE = re.compile(
    r"(?:^|[^\w\s])\s*(?:(?:a|an|easiest|only|just|full|solid|easily|definitely|easy|overall|my|rating|verdict|score|is|it's"
    r"|that's|total|strong|all|service|food|at|best|the|still|so|and|yes|no|ok|okay|well|i'd say|not"
    r"|even|here|have|take|make|that|your)\W*)*$"
)
ENGLISH_EDGE = re.compile(
    r"\s*(?:$|[^\w\s]|stars?\b|分|吧|(?:from|for|would|overall|rating|review|because|and|but|so|if|service|experience|recommend|all|no|only|at|to|across|throughout"
    r"|thanks|i|it|just|as|(?:is what )?it is|is (?:one|too|all|what|generous|more|enough|plenty)"
    r"|holiday|trip|stay|meal|job|treatment|performance|visit|effort|customer|this time|today|never|avoid)\b)"
)
FROM_TO = re.compile(
    rf"(?P<before>.{{0,30}})\b(?:chang|drop|lower|rais|bump|upp|cut|reduc|downgrad|upgrad)\w*"
    rf" (?:(?:my|the|this|that|it|its|review|rating"
    rf"|score|from) )*(?:{ENGLISH_NUMBER})(?:[ -]stars?)?"
    rf" to (?:a )?(?P<n>{ENGLISH_NUMBER})(?:[ -]stars?\b|(?=\s*(?:$|[^\w\s]|after|because|since|now)))"
)
ON_A_SCALE = re.compile(
    rf"\bscale (?:of|from) (?:0|1|zero|one)(?: to |\s?-\s?)(?P<of>100|10|5|7|five|seven|ten|a hundred)\b(?!\?)"
    r"[^.!?;\d]{0,25}?"
    rf"\b(?P<n>{ENGLISH_NUMBER})\b(?=\s*(?:$|[^\w\s%/:]|at (?:best|most)|for|because|from|overall))"
)
OUT_OF = re.compile(
    rf"(?:^|[.!\n]\s?)out of (?P<of>100|10|5|five|ten|a hundred)\s?[?,:]+ "
    rf"(?:i'd say |i'd give (?:it|you) |maybe |a |an )*"
    rf"(?P<n>{ENGLISH_NUMBER})(?=\s*(?:$|[^\w\s%/:]|at (?:best|most)|for|because|from|overall))"
)
FRACTION = re.compile(
    rf"(?<![\d./$-])\b(?P<n>{ENGLISH_NUMBER})(?:\s?/\s?|[ -]out[ -]of[ -])"
    r"(?P<of>100|10|5|7|five|seven|ten|a hundred)\b(?!\s?[/.:-]?\s?\d)"
)
HUNDRED = re.compile(r"a hundred")
DATED = re.compile(
    r"(?:\b(?:on|at|by|from|since|until|till|before|after|dated?|due|over|page|chapter|part|step|level|lesson|version|v|open|about|for|in)|[\d-])\s*$"
)
FILLER = (
    r"(?:我|给|打|选|评|就|大概|只能|最多|勉强|可能|应该|评分|打分|选项|答案|是|你们?|个|那|嗯|[\W_]"
    r"|i'?d|i|i'?ll|rate|give|it|a|an|say|that'?s|maybe|probably|about|score|rating|number|option|it'?s|my|is|answer|you|this|go|with|just|only|ok|um|well)*?"
)
ANSWER = re.compile(
    rf"{FILLER}\s*(?<![\d.\-+$¥€£])(?P<n>\d{{1,3}}(?:\.\d)?|{CHINESE}|\b{ENGLISH}\b|🔟)\s?(?:⃣|分|颗?星|stars?|points?)?"
    r"(?:吧|啊|哦|呢|了|哈|啦|呗|please|thanks|thank you|谢谢|[^\w%$¥€£°]|_)*"
)
ANSWER_AND_WHY = re.compile(
    rf"[^\w+-]*(?P<n>\d{{1,3}}(?:\.\d)?|{CHINESE}|\b{ENGLISH}\b)\s?(?:⃣|分|颗?星|stars?|points?)?"
    r"(?:\s?[,;:!。\n(]\s?|\s-+\s|\s?因为|\s(?:because|but|cause|cos|since|as)\s)(?![\s\d])"
)
