"""The embedded engine: the deterministic part of Rasa 3.1's format, read and run in this process.

`load` reads a directory and refuses what it cannot do, with file, line and remedy. `Engine.turn` takes a conversation
and a message, understood already, and gives back what to say, what to ask of our services, and the conversation as it
then is. It writes nothing, and reads nothing but its arguments.
"""

from bot.engine.assistant import Assistant, load
from bot.engine.engine import Engine
from bot.engine.message import ButtonSpec, Command, Response, Turn, UserMessage

__all__ = ["Assistant", "ButtonSpec", "Command", "Engine", "Response", "Turn", "UserMessage", "load"]
