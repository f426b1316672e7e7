"""Asks a fact's question, and shows the answer: the same in a command and in pytest."""

from __future__ import annotations

import string
from pathlib import Path
from typing import NamedTuple, Protocol

from kafkalab.curriculum import Statement
from kafkalab.curriculum.predictions import Prediction
from kafkalab.learning_log import acts

DONT_KNOW, LEAVE = "?", "q"


class Left(Exception):
    """The learner wants to stop; all answers so far are kept."""


class Answer(NamedTuple):
    """The learner's answer to a fact's question."""

    choice: str
    """the text of what was chosen; empty for "don't know\""""
    is_right: bool


class Talk(Protocol):
    """Prints and asks; `kafkalab.cli.output` is one."""

    def line(self, text: str = "", *, style: str = "", indent: int = 0, mark: str = "") -> None:
        """Print a text; the mark is printed before its first line."""

    def ask(self, prompt: str) -> str:
        """Ask for a line.

        Raises:
            EOFError: the input has ended.
        """
        ...


def answer_to(talk: Talk, prompt: str) -> str:
    """The answer, one line without blanks around it; empty for an empty line.

    Raises:
        Left: the answer was to leave, or the input has ended.
    """
    try:
        answer = talk.ask(f"{prompt} > ").strip()
    except EOFError as error:
        talk.line()
        raise Left from error
    if answer.lower() == LEAVE:
        raise Left
    return answer


def one_of(talk: Talk, prompt: str, answers: dict[str, str]) -> str:
    """One of these answers; after any other input it asks again.

    Args:
        talk: asks.
        prompt: without the sign at its end.
        answers: what may be answered, in small letters, with what each returns.

    Raises:
        Left: the answer was to leave.
    """
    while True:
        answer = answer_to(talk, prompt).lower().rstrip(".)")
        if answer in answers:
            return answers[answer]
        *others, last = [*dict.fromkeys(key for key in answers if len(key) == 1), LEAVE]
        talk.line(f"Please answer {', '.join(others)} or {last} (to leave).", style="yellow")


def predict(talk: Talk, prediction: Prediction) -> Answer:
    """Ask the fact's question.

    Raises:
        Left: the learner left without an answer.
    """
    talk.line(prediction.question, style="bold")
    talk.line()
    lettered = dict(zip(string.ascii_lowercase, prediction.choices, strict=False))
    for letter, choice in lettered.items():
        talk.line(choice.text, indent=2, mark=f"{letter}  ")
    talk.line("I don't know", indent=2, mark=f"{DONT_KNOW}  ")
    talk.line()
    known = {letter: choice.text for letter, choice in lettered.items()}
    prompt = f"{', '.join(known)}, {DONT_KNOW} ({LEAVE} leaves)"
    chosen = one_of(talk, prompt, {**known, DONT_KNOW: ""})
    return Answer(chosen, chosen == prediction.right.text)


def keep(path: Path, slug: str, answer: Answer) -> None:
    """Write a fact's prediction to the file of the acts.

    Raises:
        OSError: the file cannot be written.
    """
    acts.append(path, acts.PREDICTED, slug, choice=answer.choice, right=answer.is_right)


def tell_result(talk: Talk, prediction: Prediction, answer: Answer) -> None:
    """Print whether an answer was right, and for a wrong one why it is tempting.

    The answer may be from an earlier day, when the question had other choices.
    """
    lettered = _lettered(prediction)
    right = right_of(prediction)
    if answer.is_right:
        talk.line(f"Right: {right}", style="green")
        return
    if answer.choice:
        talk.line(f"Not so: {lettered.get(answer.choice, answer.choice)}", style="yellow")
    for choice in prediction.choices:
        if choice.text == answer.choice:
            talk.line(choice.tempting, indent=2)
    talk.line(f"It is {right}", style="green")


def right_of(prediction: Prediction) -> str:
    """The right choice, with its letter."""
    return _lettered(prediction)[prediction.right.text]


def _lettered(prediction: Prediction) -> dict[str, str]:
    """Each choice with its letter, by its text."""
    return {
        choice.text: f"{letter}: {choice.text}"
        for letter, choice in zip(string.ascii_lowercase, prediction.choices, strict=False)
    }


def tell_fact(talk: Talk, stated: Statement) -> None:
    """Print the fact's sentence, and why it matters."""
    talk.line(stated.sentence, style="bold")
    for paragraph in stated.why:
        talk.line(paragraph)
