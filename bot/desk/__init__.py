"""The agents' desk: sign in, see who waits, take over, answer, hand back. `routes` is all that an application needs."""

from bot.desk.routes import routes

__all__ = ["routes"]
