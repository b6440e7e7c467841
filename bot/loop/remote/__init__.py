"""Other engines behind the same two interfaces: a Rasa server, and an endpoint that completes chats.

All of it is off unless it is set, and none of it is needed: whatever fails, is slow or answers nonsense, the local
model and the embedded engine carry on as if it were not there.

- `RasaUnderstanding` is an `Understands`: a Rasa server's `POST /model/parse` names intents and entities.
- `RasaDialogue` is a `Talks`: a Rasa server that was trained on the assistant conducts the conversation.
- `SecondOpinions` is an `Understands`, and `GroundedAnswers` a `Talks`: they ask an endpoint that speaks OpenAI's chat
  protocol, with masked text, where the local ones abstain.
"""

from bot.loop.remote.answers import GroundedAnswers
from bot.loop.remote.breaker import Breaker
from bot.loop.remote.budget import Budget
from bot.loop.remote.chat import ChatEndpoint, Completes
from bot.loop.remote.dialogue import RasaDialogue
from bot.loop.remote.opinions import SecondOpinions
from bot.loop.remote.server import Failed, Server
from bot.loop.remote.understanding import RasaUnderstanding

__all__ = [
    "Breaker",
    "Budget",
    "ChatEndpoint",
    "Completes",
    "Failed",
    "GroundedAnswers",
    "RasaDialogue",
    "RasaUnderstanding",
    "SecondOpinions",
    "Server",
]
