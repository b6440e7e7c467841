"""Public comments in a turn: one approved sentence in public, one private reply with a signed link, a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from bot.comments.filter import public_filter
from bot.comments.replies import PublicReplies
from bot.comments.rules import plan
from bot.loop.asking import Asking
from bot.loop.effects import Effects
from bot.loop.notices import Notices
from bot.loop.talking import Talking
from channels.base import Comment
from nlu.understanding import Language, Understanding


@dataclass(frozen=True, slots=True)
class Commenting:
    replies: PublicReplies
    asking: Asking
    talking: Talking
    notices: Notices

    def hear(self, effects: Effects, comment: Comment, at: datetime, understood: Understanding | None) -> None:
        """Do what the rules say about a comment, its edit or its removal."""
        if understood and any(sign.isalpha() for sign in comment.text):
            effects.language = understood.language
        language = cast(Language, effects.language)
        found = plan(comment, understood, language, self.replies, answered=effects.state.answered_lately)
        if found.erase:
            effects.erase = True
            return
        facts = {"comment": comment.comment_id, "post": comment.post_id, "verb": comment.verb, "reason": found.reason}
        effects.hear(comment.text, at=at, data=facts)
        if comment.author_name and effects.state.contact is None:
            effects.change_contact(name=comment.author_name[:200])
        if found.public_text:
            # The words were approved when they were loaded; what goes out is looked at once more all the same.
            names = [comment.author_name] if comment.author_name else []
            if public_filter(found.public_text, names) is None:
                effects.say(found.public_text, kind="public", form="public_reply", target=comment.comment_id)
        if found.private_text:
            self._private(effects, comment)
        if found.queue:
            self.talking.hand_off(effects, "comment", at)

    def _private(self, effects: Effects, comment: Comment) -> None:
        """The one private reply that a comment has: its row in the outbox claims the slot before anything is sent."""
        definition = self.asking.surveys.for_trigger("volunteered")
        if definition is None:
            return
        survey = self.asking.open(effects, definition)
        self.asking.speak_of(effects, survey)
        words = self.notices.comment_private.said(cast(Language, effects.language), link="[[survey_link]]")
        effects.say(words, kind="survey", form="private_reply", target=comment.comment_id)
