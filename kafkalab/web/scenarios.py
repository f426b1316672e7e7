"""The explorer's guided scenarios, each with the facts of its task as questions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from fastapi import APIRouter
from pydantic import Field

from kafkalab.curriculum import Curriculum, Task, load
from kafkalab.curriculum.scenarios import PlayedTopic, Scenario, scenarios_of
from kafkalab.learning_log.commands import fact_command, task_command
from kafkalab.web.given import Strict

router = APIRouter(prefix="/api/kafka", tags=["scenarios"])


class TopicPlayed(Strict):
    """The topic that a scenario, or one of its steps, uses."""

    name: str
    partitions: int
    settings: dict[str, str]


class StepShown(Strict):
    """What to do, and what to watch for; it does not say what will happen."""

    title: str
    do: list[str]
    watch: list[str]
    facts: list[str] = Field(description="slugs of the facts that it shows")
    topic: TopicPlayed | None = Field(description="a topic other than the scenario's; else null")


class FactAsked(Strict):
    """A fact as a question. Its sentence, the answer, is shown after a prediction or a run."""

    slug: str
    question: str
    command: str


class ScenarioShown(Strict):
    """A task of the course, as steps in the explorer."""

    task: str
    title: str
    question: str
    topic: TopicPlayed
    steps: list[StepShown]
    facts: list[FactAsked] = Field(description="all facts of the task with a prediction, in order")
    command: str = Field(description="runs all of the task")


@router.get("/scenarios")
def list_scenarios() -> list[ScenarioShown]:
    """The guided tasks: their steps, then the facts of the task as questions."""
    return list(_all())


@cache
def _all() -> tuple[ScenarioShown, ...]:
    curriculum = load()
    return tuple(_shown(each, curriculum) for each in scenarios_of(curriculum).values())


def _shown(scenario: Scenario, curriculum: Curriculum) -> ScenarioShown:
    task = curriculum.task(scenario.task)
    steps = [
        StepShown(
            title=each.title,
            do=list(each.do),
            watch=list(each.watch),
            facts=list(each.facts),
            topic=_topic(each.topic) if each.topic else None,
        )
        for each in scenario.steps
    ]
    return ScenarioShown(
        task=task.id,
        title=task.title,
        question=task.question,
        topic=_topic(scenario.topic),
        steps=steps,
        facts=list(_facts(task, curriculum)),
        command=task_command(task.id, curriculum),
    )


def _topic(topic: PlayedTopic) -> TopicPlayed:
    return TopicPlayed(name=topic.name, partitions=topic.partitions, settings=dict(topic.settings))


def _facts(task: Task, curriculum: Curriculum) -> Iterator[FactAsked]:
    for slug, prediction in task.predictions.items():
        command = fact_command(curriculum.stated_facts[slug], curriculum)
        yield FactAsked(slug=slug, question=prediction.question, command=command)
