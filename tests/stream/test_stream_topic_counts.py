"""How the topics' numbers of partitions can differ, and what is told as the repair of each."""

from __future__ import annotations

import pytest

from worker.settings import Settings
from worker.stream.topics import (
    ABSENT,
    CREATE,
    HOW_MANY,
    NO_COMMAND,
    TOO_MANY,
    TopicSpec,
    all_counted,
    counted,
)

INPUT, RESULTS, LETTERS, CHANGELOG = TOPICS = ("in", "out", "dlq", "history")
SETTINGS = Settings(
    input_topic=INPUT,
    results_topic=RESULTS,
    dead_letter_topic=LETTERS,
    changelog_topic=CHANGELOG,
    partitions=12,
)
FEWER = "set MMS_PARTITIONS=8, as all the topics have"
MORE = (
    "set MMS_PARTITIONS=16, as all the topics have, unless partitions were added since they were made: then "
    f"see {HOW_MANY}"
)
ALTER = f"kafka-topics.sh --bootstrap-server {SETTINGS.bootstrap_servers} --alter --topic dlq --partitions 12"


@pytest.mark.parametrize(
    ("counts", "repairs"),
    [
        ((12, 12, 12, 12), {}),
        ((8, 8, 8, 8), dict.fromkeys(TOPICS, FEWER)),
        ((16, 16, 16, 16), dict.fromkeys(TOPICS, MORE)),
        ((16, 12, 12, 12), {INPUT: NO_COMMAND}),
        ((12, 1, 12, 12), {RESULTS: NO_COMMAND}),
        ((12, 12, 12, 8), {CHANGELOG: NO_COMMAND}),
        ((16, 16, 12, 16), {INPUT: NO_COMMAND, RESULTS: NO_COMMAND, CHANGELOG: NO_COMMAND}),
        ((16, 8, 12, 12), {INPUT: NO_COMMAND, RESULTS: NO_COMMAND}),
        ((12, 8, 8, 12), {RESULTS: NO_COMMAND, LETTERS: NO_COMMAND}),
        ((12, 12, 8, 12), {LETTERS: ALTER}),
        ((12, 12, 16, 12), {LETTERS: TOO_MANY}),
        ((None, None, None, None), dict.fromkeys(TOPICS, CREATE)),
        ((12, 12, None, 12), {LETTERS: CREATE}),
        ((12, None, 8, 12), {RESULTS: CREATE, LETTERS: ALTER}),
        ((8, None, 8, 8), dict.fromkeys(TOPICS, FEWER) | {RESULTS: f"{FEWER}; then {CREATE}"}),
    ],
)
def test_the_repair_of_a_number_of_partitions_takes_nothing_away(
    counts: tuple[int | None, ...], repairs: dict[str, str]
) -> None:
    there = {topic: count for topic, count in zip(TOPICS, counts, strict=True) if count is not None}
    found = all_counted(there | {"another": 3}, SETTINGS)
    assert {one.topic: one.repair for one in found} == repairs
    for one in found:
        assert one.essential
        assert one.missing == (one.topic not in there)
        is_told = (
            ABSENT if one.missing else f"has {there[one.topic]} partitions, not the 12 of MMS_PARTITIONS"
        )
        assert one.what == is_told


@pytest.mark.parametrize(("count", "repairs"), [(12, []), (8, [ALTER]), (16, [TOO_MANY])])
def test_partitions_can_be_added_to_a_topic_without_state(count: int, repairs: list[str]) -> None:
    found = counted(TopicSpec(LETTERS, 12, 1, {}), count, SETTINGS, INPUT)
    assert [one.repair for one in found] == repairs
    assert all(one.what == f"has {count} partitions, not the 12 of in" for one in found)
