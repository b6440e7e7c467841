"""The REST face at /api/v1: episodes and feedback come in, surveys, ratings, cases and conversations are read and
worked. `operation` is the way of every call; each resource is a module; `routes` puts them together."""

from bot.api.routes import routes

__all__ = ["routes"]
