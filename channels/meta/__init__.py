"""Facebook Page comments, Messenger and Instagram."""

from channels.meta.adapter import PRIVATE_REPLY_WITHIN, MetaAdapter, MetaSettings

__all__ = ["PRIVATE_REPLY_WITHIN", "MetaAdapter", "MetaSettings"]
