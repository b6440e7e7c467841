"""Every custom action, by class: what the executor runs, and what `earful actions` serves to a Rasa server."""

from __future__ import annotations

from rasa_sdk import Action

from bot.actions.answering import Answer, Judged, NoneOfThese, NotUnderstood
from bot.actions.begin_turn import BeginTurn
from bot.actions.complaining import Complain, CompleteCase, OfferAnswered, ReasonGiven
from bot.actions.contact import RememberContact
from bot.actions.details import NoteDetails
from bot.actions.details_form import ValidateCaseDetailsForm
from bot.actions.executor import Executor
from bot.actions.people import AskPerson, Cancel, QueuePosition, StaySilent
from bot.actions.reason_form import ValidateComplaintForm, ValidateOfferForm, ValidateRatingReasonForm
from bot.actions.talking import CaseStatus, Greet, Resume, Stop, TakeRating

ACTIONS: tuple[type[Action], ...] = (
    Answer,
    AskPerson,
    BeginTurn,
    Cancel,
    CaseStatus,
    Complain,
    CompleteCase,
    Greet,
    Judged,
    NoneOfThese,
    NotUnderstood,
    NoteDetails,
    OfferAnswered,
    QueuePosition,
    ReasonGiven,
    RememberContact,
    Resume,
    StaySilent,
    Stop,
    TakeRating,
    ValidateCaseDetailsForm,
    ValidateComplaintForm,
    ValidateOfferForm,
    ValidateRatingReasonForm,
)


def executor() -> Executor:
    """A new executor with every action registered."""
    made = Executor()
    for action in ACTIONS:
        made.register_action(action)
    return made
