"""What staff made of the knowledge base, in versions: `written` (with its words), `removed` (nobody is told it now), or
`shipped` (as the content files have it, if they have it)."""

from __future__ import annotations

from typing import Literal

from bot.knowledge.entries import Entry, as_json, from_json
from storage import versions
from storage.tables import knowledge_versions
from storage.versions import Overtaken, Versions

Kind = Literal["written", "removed", "shipped"]
Version = versions.Version[Entry]
VERSIONS = Versions("knowledge", knowledge_versions, "key", "content", from_json, as_json)

__all__ = ["VERSIONS", "Kind", "Overtaken", "Version"]
