"""What the world calls our columns.

In: a column's name. Out: which role it may have, and how strongly. Compared without case, spaces, `_`, `-` and `.`, so
`CustomerID`, `customer_id` and `customer id` are one. Adding an alias is one word here and nothing elsewhere.

Within a role, names stand in ranks: one rank beats the next, and two names of one rank are rivals whom only the user
can tell apart.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["NEVER_IDS", "ROLES", "is_known", "plain", "rank"]

Ranks = tuple[tuple[str, ...], ...]

_USER: Final[Ranks] = (
    ("userid",),
    (
        *(
            "user",
            "uid",
            "userno",
            "usernumber",
            "useruuid",
            "userguid",
            "userkey",
            "userpseudoid",
            "msno",
            "distinctid",
        ),
        *("customer", "customerid", "customerno", "customernumber", "customerkey", "custid", "client", "clientid"),
        *("member", "memberid", "account", "accountid", "accountnumber", "subscriber", "subscriberid", "consumerid"),
        *("visitor", "visitorid", "fullvisitorid", "person", "personid", "reviewer", "reviewerid", "buyer", "buyerid"),
        *("shopper", "shopperid", "viewerid", "listenerid", "readerid", "playerid", "patientid", "profileid"),
        *("household", "householdid", "householdkey", "cookieid", "deviceid", "anonymousid", "learnerid", "studentid"),
        *(
            "用户",
            "用户id",
            "用户编号",
            "用户标识",
            "用户名",
            "会员",
            "会员id",
            "会员编号",
            "客户",
            "客户id",
            "客户编号",
        ),
        *("顾客", "顾客id", "买家", "买家id", "访客id"),
    ),
)
_SESSION: Final[Ranks] = (("sessionid",), ("session", "sid", "visitid", "sess", "sessid", "会话", "会话id"))
_ITEM: Final[Ranks] = (
    ("itemid",),
    (
        *(
            "item",
            "itemno",
            "itemcode",
            "itemnumber",
            "itemkey",
            "iid",
            "product",
            "productid",
            "prodid",
            "productcode",
        ),
        *("productno", "productkey", "sku", "skuid", "asin", "isbn", "article", "articleid", "content", "contentid"),
        *("movie", "movieid", "film", "filmid", "track", "trackid", "song", "songid", "artist", "artistid", "video"),
        *("videoid", "book", "bookid", "news", "newsid", "venue", "venueid", "poi", "poiid", "place", "placeid"),
        *("location", "locationid", "businessid", "gmapid", "recipe", "recipeid", "game", "gameid", "appid", "goods"),
        *("goodsid", "stockcode", "listing", "listingid", "offerid", "doc", "docid", "document", "documentid", "page"),
        *("pageid", "postid", "courseid", "photoid", "showid", "animeid", "beerid", "hotelid", "jobid", "materialid"),
        *(
            "商品",
            "商品id",
            "商品编号",
            "物品",
            "物品id",
            "产品",
            "产品id",
            "货号",
            "内容",
            "内容id",
            "视频id",
            "电影id",
        ),
        *("文章id", "歌曲id", "新闻id"),
    ),
)
_BEHAVIOR: Final[Ranks] = (
    ("behavior",),
    (
        *("behaviour", "behaviortype", "behaviourtype", "event", "eventtype", "eventname", "eventkind", "action"),
        *("actiontype", "activity", "activitytype", "interaction", "interactiontype", "feedback", "feedbacktype"),
        *("行为", "行为类型", "动作", "事件", "事件类型"),
    ),
    ("type", "类型"),
)
_TIME: Final[Ranks] = (
    ("timestamp",),
    (
        *(
            "timestampms",
            "timestampus",
            "timestampns",
            "timestamps",
            "ts",
            "tsms",
            "time",
            "timems",
            "datetime",
            "date",
        ),
        *("dt", "ds", "day", "epoch", "epochms", "epochseconds", "unixtime", "unixtimestamp", "unixreviewtime"),
        *("reviewtime", "reviewdate", "eventtime", "eventtimestamp", "eventdate", "eventat", "createdat", "created"),
        *("createtime", "createdate", "createddate", "creationtime", "occurredat", "happenedat", "loggedat", "logtime"),
        *("invoicedate", "invoicetime", "orderdate", "ordertime", "orderedat", "purchasedate", "purchasetime"),
        *(
            "purchasedat",
            "transactiondate",
            "transactiontime",
            "tdat",
            "checkintime",
            "checkinat",
            "utctime",
            "visittime",
        ),
        *("visitdate", "visitstarttime", "clicktime", "viewedat", "listenedat", "playedat", "watchedat", "ratedat"),
        *("ratingtime", "servertime", "clienttime", "requesttime", "actiontime", "actiontimestamp", "behaviortime"),
        *("interactiontime", "interactiontimestamp", "timestamputc", "datetimeutc"),
        *("时间", "时间戳", "日期", "行为时间", "事件时间", "下单时间", "购买时间", "创建时间", "访问时间", "点击时间"),
    ),
)
_VALUE: Final[Ranks] = (
    ("value",),
    ("rating", "ratings", "stars", "score", "overall", "reviewrating", "评分", "打分"),
    (
        *("amount", "revenue", "sales", "total", "totalprice", "totalamount", "totalvalue", "dollarvalue", "spend"),
        *("orderamount", "orderactualamount", "transactionamount", "金额", "总价", "销售额"),
    ),
    (
        "quantity",
        "qty",
        "count",
        "units",
        "unitssold",
        "numberofcds",
        "plays",
        "playcount",
        "playscount",
        "数量",
        "次数",
    ),
    ("price", "unitprice", "saleprice", "价格", "单价"),
    ("eventvalue", "weight", "label", "watchtime", "dwelltime", "duration", "playtime", "listenedseconds", "时长"),
)
_POSITION: Final[Ranks] = (
    ("position",),
    ("pos", "sequencenumber", "seqno", "seqnum", "eventindex", "eventnumber", "序号", "顺序"),
)

ROLES: Final[dict[str, Ranks]] = {
    "user_id": _USER,
    "item_id": _ITEM,
    "behavior": _BEHAVIOR,
    "timestamp": _TIME,
    "value": _VALUE,
    "position": _POSITION,
    "session_id": _SESSION,
}

NEVER_IDS: Final = re.compile(
    r"index|unnamed|^row|invoice|order|transaction|basket|cart|receipt|ticket|request|event|session|series|metric|sensor"
    r"|country|region|state|city|zip|postal|address|currency|language|locale|timezone|category|brand|genre|tag|segment"
    r"|gender|sex|age|occupation|name|title|description|text|summary|comment|review|url|path|referrer|agent|browser|os$"
    r"|device|platform|channel|source|campaign|^ip|phone|email|split|part|fold|lat|lon|^y$|^x$|parent|helpful|vote"
)
"""Columns that are text or numbers and repeat, and yet are neither users nor items."""


def plain(name: str) -> str:
    """The name as it is compared."""
    return re.sub(r"[\W_]+", "", name).casefold()


def rank(role: str, name: str) -> int | None:
    """0 for the canonical name, then by rank; None if the name does not belong to the role."""
    wanted = plain(name)
    return next((level for level, names in enumerate(ROLES[role]) if wanted in names), None)


def is_known(name: str) -> bool:
    """Whether a field looks like one of our columns' names (RecBole's `user_id:token` too)."""
    bare = name.rpartition(":")[0] or name
    return any(rank(role, bare) is not None for role in ROLES)
