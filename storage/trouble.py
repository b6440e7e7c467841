"""Why a database cannot be worked with, in words that lead to the remedy."""

from __future__ import annotations

import sqlite3

from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

_REMEDIES = {
    "28P01": "the server refuses this user with this password. Correct them",
    "28000": "the server does not let this user in. Correct the user, or allow it in pg_hba.conf",
    "3D000": "there is no such database on the server. Make it: createdb NAME",
    "42501": "this user may not make tables there. As its owner: grant create on schema public to USER",
    "53300": "the server has no connection left. Raise max_connections, or run fewer processes",
    "57P03": "the server is still starting. Try again in a moment",
}


class Unusable(Exception):
    """The database cannot be worked with as things are. The message names it, without its password, and the remedy."""


def trouble(error: BaseException, url: str) -> Unusable | None:
    """What `error` means for whoever set `url`; None where it is not the database's."""
    made = make_url(url)
    place = made.render_as_string(hide_password=True).replace("postgresql+asyncpg", "postgresql")
    orig = error.orig if isinstance(error, DBAPIError) else error
    state = str(getattr(orig, "sqlstate", None) or "")
    if state in _REMEDIES:
        said = _REMEDIES[state]
    elif state[:2] in ("08", "53", "57", "58") or isinstance(error, PoolTimeout | TimeoutError):
        said = "the server does not answer as it should. Look into its log"
    elif isinstance(orig, sqlite3.Error):
        said = f"{orig}. Check the path, that this user may write the file and its folder, and that the disk has room"
    elif isinstance(orig, OSError):
        reason = orig.strerror or str(orig) or type(orig).__name__
        said = f"nothing answers there ({reason}). Start the server, or correct the address"
    else:
        return None
    return Unusable(f"the database {place}: {said} (EARFUL_DATABASE_URL)")
