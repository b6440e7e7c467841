"""A survey's question as a channel puts it: with buttons, with numbers to type, or with the way to its page."""

from __future__ import annotations

from bot.loop.effects import Option
from bot.loop.notices import Notices
from bot.surveys.definitions import Definition
from bot.surveys.rules import Step
from channels.base import Capabilities
from nlu.understanding import Language


def worded(
    definition: Definition, step: Step, language: Language, can: Capabilities, notices: Notices, link: str
) -> tuple[str, list[Option]]:
    """The text and its options. Where the channel bears fewer buttons than there are options, or nobody shall be shown
    the answer (a conversation is read by people), there are none, and the text names the `link` of the page."""
    options = [Option(each.title, {"question": step.question, "answer": each.value}) for each in step.options]
    if options and can.digits and not definition.anonymous:
        return f"{step.text}\n{notices.reply_with_number.said(language)}", options
    if definition.anonymous or len(options) > can.buttons:
        return f"{step.text}\n{notices.survey_link.said(language, link=link)}", []
    return step.text, options
