"""Pages as HTML: templates with every value escaped, our own scripts and styles named with their version."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bot.service import SERVICE
from bot.web.language import remember, texts
from nlu.understanding import Language

HERE = Path(__file__).parent
STATIC = "/web/static"


def page(request: web.Request, template: str, language: Language, *, status: int = 200, **values: Any) -> web.Response:
    """The page `templates/<template>.html`. `said(key, ...)` in it is a text of its own section of `texts.yml`."""

    def said(key: str, section: str = template, **filled: object) -> str:
        return texts().said(section, key, language, **filled)

    html = environment(HERE / "templates").get_template(f"{template}.html")
    company = request.app[SERVICE].settings.company
    body = html.render(said=said, language=language, company=company, other=_other(request, language), **values)
    response = web.Response(status=status, text=body, content_type="text/html")
    # Behind a signed link, or in the language of whoever looks: never kept by anything on the way.
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex"
    remember(response, request)
    return response


@cache
def asset(name: str) -> str:
    """The address of a file of ours in `static/`, with its version. Raises FileNotFoundError."""
    digest = hashlib.sha256((HERE / "static" / name).read_bytes()).hexdigest()[:12]
    return f"{STATIC}/{name}?v={digest}"


@cache
def environment(templates: Path) -> Environment:
    """For the templates of one folder: every value is escaped, one that nobody gave is an error."""
    made = Environment(
        loader=FileSystemLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["asset"] = asset
    return made


def _other(request: web.Request, language: Language) -> str:
    """The same page in the other language."""
    query = {name: value for name, value in request.query.items() if name != "lang"}
    return str(request.rel_url.with_query(query | {"lang": "zh" if language == "en" else "en"}))
