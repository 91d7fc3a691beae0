"""Least privilege, on a broker with Kafka's StandardAuthorizer.

With the table's rights and no others each task is done; without one of them it is refused with its name.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest

from tests.rights.guarded import Guarded
from tests.rights.tasks import TASKS, is_drained, run
from tests.stream.inprocess import ready, working
from tests.stream.letterkit import numbered, set_aside
from tests.stream.streamkit import Input, Stream, claims, until
from worker.commands.brokers import answer_of
from worker.settings import Settings
from worker.stream.errors import NotAllowed, Refused
from worker.stream.rights.missing import naming_what_lacks
from worker.stream.rights.table import CREATE, DESCRIBE_CONFIGS, READ, Right, Task, rights, role_of
from worker.stream.verify import verify_counts


class Case(NamedTuple):
    """A task, and the place of one of its rights in the table."""

    task: Task
    place: int

    def right(self, settings: Settings) -> Right:
        return rights(self.task, settings)[self.place]

    def __str__(self) -> str:
        return f"{self.task}: {self.right(Settings.model_construct())}"


CASES = [Case(task, place) for task in Task for place in range(len(rights(task, Settings.model_construct())))]


class Scene(NamedTuple):
    """The broker, and a stream on which a worker has been, with a dead letter that was redriven."""

    guarded: Guarded
    stream: Stream
    directory: Path
    ending: ExitStack
    seeds: Iterator[int]

    async def stream_for(self, case: Case) -> Stream:
        """The stream, or one whose topics are as the case needs them."""
        if case.task is Task.CREATE_TOPICS and case.right(self.stream.settings).operation is CREATE:
            return self.new_stream()
        if case.task is not Task.REDRIVE:
            return self.stream
        stream = self.new_stream()
        await stream.create_topics()
        await set_aside(stream, numbered(1))
        if case.right(stream.settings).operation is not CREATE:
            await TASKS[Task.REDRIVE](stream.settings)
        return stream

    def new_stream(self) -> Stream:
        return new_stream(self.guarded, self.directory, self.ending)

    def without(self, case: Case, stream: Stream) -> Settings:
        """The stream's settings for a user with all the rights of the task but the case's."""
        lacking, settings = case.right(stream.settings), stream.settings
        user = self.guarded.new_user([one for one in rights(case.task, settings) if one != lacking])
        return self.guarded.as_user(user, settings)

    async def do(self, task: Task, settings: Settings, stream: Stream) -> Any:
        """Do a task; the worker's on some new claims."""
        return await (run(settings, stream, next(self.seeds)) if task is Task.RUN else TASKS[task](settings))


@pytest.fixture(scope="module")
def scene(guarded: Guarded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    directory = tmp_path_factory.mktemp("rights")
    with ExitStack() as ending:
        made = Scene(guarded, new_stream(guarded, directory, ending), directory, ending, count(1))
        asyncio.run(_has_worked(made))
        yield made


async def _has_worked(scene: Scene) -> None:
    await scene.stream.create_topics()
    for task in (Task.RUN, Task.REDRIVE):
        await scene.do(task, scene.stream.settings, scene.stream)


def new_stream(guarded: Guarded, directory: Path, ending: ExitStack) -> Stream:
    """Settings of a stream that nobody has; of one partition, so that a case is as short as can be."""
    return Stream(guarded.bootstrap, f"rights-{uuid4().hex[:8]}", directory, ending, partitions=1)


@pytest.mark.parametrize("task", Task)
async def test_with_the_rights_of_the_table_and_no_others_it_is_done(scene: Scene, task: Task) -> None:
    stream = await scene.stream_for(Case(task, 0))
    user = scene.guarded.new_user(rights(task, stream.settings))
    settings = scene.guarded.as_user(user, stream.settings)
    assert await answer_of(scene.do(task, settings, stream), settings, task)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_without_one_of_them_it_is_refused_with_its_name(scene: Scene, case: Case) -> None:
    stream = await scene.stream_for(case)
    settings, lacking = scene.without(case, stream), case.right(stream.settings)
    who = "worker" if case.task is Task.RUN else "user"
    line = (
        f"this {who} lacks {lacking}; grant it, as mms-worker topics acls --role {role_of(case.task)} "
        "--principal User:NAME prints"
    )
    with pytest.raises(NotAllowed) as refused:
        await answer_of(scene.do(case.task, settings, stream), settings, case.task)
    assert str(refused.value) == line


@pytest.mark.parametrize("task", TASKS)
async def test_what_a_task_comes_to_is_the_same_each_time(scene: Scene, task: Task) -> None:
    """Or what it comes to without a right, below, would differ by itself."""
    await scene.do(Task.SEND, scene.stream.settings, scene.stream)  # something that waits
    stream = await scene.stream_for(Case(task, 1 if task is Task.CREATE_TOPICS else 0))
    first = await scene.do(task, stream.settings, stream)
    assert first == await scene.do(task, stream.settings, stream)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_none_of_them_can_be_done_without(
    scene: Scene, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is asked beforehand here: it is the work itself that misses the right, or tells less."""

    async def ask_nothing(*_: object) -> None:
        pass

    monkeypatch.setattr("worker.stream.verify.require", ask_nothing)
    stream = await scene.stream_for(case)
    settings, lacking = scene.without(case, stream), case.right(stream.settings)
    try:
        async with naming_what_lacks(settings, case.task):
            outcome = await scene.do(case.task, settings, stream)
    except Refused as refused:
        outcome = str(refused)
    if isinstance(outcome, str) and "lacks" in outcome:
        assert f"lacks {lacking};" in outcome
    assert outcome != await scene.do(case.task, stream.settings, stream)


WORKERS = [case for case in CASES if case.task is Task.RUN]


def is_needed_at_work(right: Right, settings: Settings) -> bool:
    """Whether a worker that is at work needs it: it reads histories and how topics are kept at its start."""
    is_restoring = right.operation is READ and right.resource.name == settings.changelog_topic
    return right.operation is not DESCRIBE_CONFIGS and not is_restoring


@pytest.mark.parametrize("case", WORKERS, ids=str)
async def test_what_is_taken_away_from_a_worker_at_work_ends_it_and_loses_nothing(
    scene: Scene, case: Case
) -> None:
    stream = scene.new_stream()
    await stream.create_topics()
    taken = case.right(stream.settings)
    user = scene.guarded.new_user(rights(Task.RUN, stream.settings))
    settings = scene.guarded.as_user(user, stream.settings)
    before, after = claims(10, seed=201), claims(10, seed=202)
    await stream.publish(before)

    async def has_decided() -> bool:
        return await is_drained(stream)

    async with working(settings) as (engine, running):
        await ready(engine)
        await until(has_decided, "the first claims to be decided")
        scene.guarded.take_away(user, taken)
        await stream.publish([*after, Input(b"k", b"no claim")])
        if is_needed_at_work(taken, settings):
            await until(running.done, "the worker to end")
            with pytest.raises(NotAllowed, match=f"this worker lacks {re.escape(str(taken))};"):
                running.result()
        else:
            await until(has_decided, "the other claims to be decided")
            assert not running.done()
    scene.guarded.allow(user, [taken])
    async with working(settings) as (_, running):
        await until(has_decided, "what was left to be decided")
    (results,) = (await stream.results()).values()
    assert sorted(result.key for result in results) == sorted(claim.key for claim in [*before, *after])
    (letters,) = (await stream.dead_letters()).values()
    assert len(letters) == 1


async def test_a_topic_that_is_hidden_in_a_rebalance_is_not_told_as_missing(scene: Scene) -> None:
    """Without Write on the results the worker may not describe them either."""
    stream, case = scene.stream, Case(Task.RUN, 2)
    settings, lacking = scene.without(case, stream), case.right(stream.settings)
    assert str(lacking) == f"Write on the topic {settings.results_topic}"
    with pytest.raises(NotAllowed, match=f"^this worker lacks {re.escape(str(lacking))};"):
        await verify_counts(settings)


async def test_a_worker_that_lacks_a_right_ends_with_two_and_one_line(scene: Scene) -> None:
    stream, case = scene.stream, Case(Task.RUN, 2)
    settings, lacking = scene.without(case, stream), case.right(stream.settings)
    login = {name: getattr(settings, name) for name in settings.model_fields_set}
    worker = stream.worker(**login)
    assert await worker.ended() == 2
    (stop,) = worker.said("worker stops")
    assert stop["exit_code"] == 2
    assert stop["reason"].startswith(f"this worker lacks {lacking}; grant it, as mms-worker topics acls ")
