"""Whether a run kept what the stream promises: every invariant a count with a name, 0 where it holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka import ConsumerRecord

from tests.chaos import evidence
from tests.chaos.evidence import Evidence, by_place
from tests.chaos.expected import Expected, expected, read_letter
from tests.chaos.matching import Match, match, out_of_order
from worker.settings import Settings

Records = Mapping[int, Sequence[ConsumerRecord]]
"""Records of a topic by partition number, in the order of their offsets."""

NOTHING_ELSE = Evidence()

SENTENCES: Mapping[str, str] = {
    "losses": "input records of which a result or the dead letter is missing",
    "duplicates": "input records of which a result or the dead letter came more than once",
    "extra": "results or dead letters that no input record asks for",
    "different": "results or dead letters that are not, byte for byte, the oracle's",
    "order_violations": "results or dead letters that stand out of their partition's order",
    "histories_different": "members whose history in the changelog is not the oracle's",
    "replay_different": "results that come out otherwise when the input is decided again",
    "views_different": "records that a concurrent read_committed consumer saw otherwise",
    "offsets_back": "times that a committed offset went back, or was gone",
    "unfinished": "partitions whose committed offset is not the end of their input",
    "hanging": "partitions whose last stable offset is not their end",
    "input_different": "input records that are not as they were acknowledged",
}
"""What each invariant's count counts."""


class Verdict(NamedTuple):
    """What was found, and how many times each invariant was broken (``SENTENCES`` says what is counted)."""

    records: int
    """Input records."""
    results: int
    dead_letters: int
    losses: int
    duplicates: int
    extra: int
    different: int
    order_violations: int
    """The fewest records that would have to be moved to bring each partition into its order."""
    member_order_violations: int
    """The same within the records of each member, which are among those above."""
    histories_different: int
    replay_different: int
    views_different: int
    offsets_back: int
    unfinished: int
    hanging: int
    input_different: int
    first: Mapping[str, str]
    """Where each invariant that was broken was so first."""

    @property
    def violations(self) -> list[str]:
        """A line for each invariant that was broken; empty when all hold."""
        return [
            f"{name}: {getattr(self, name)} {what}; first: {self.first[name]}"
            for name, what in SENTENCES.items()
            if getattr(self, name)
        ]


def verdict(
    settings: Settings,
    source: Records,
    results: Records,
    dead_letters: Records,
    beside: Evidence = NOTHING_ELSE,
) -> Verdict:
    """Compare what was published for the records of the input with what the oracle says, and judge the rest.

    ``source`` decides alone what is expected. Nothing is looked at that ``beside`` leaves out.
    """
    broken = _Broken()
    oracle = {number: expected(source.get(number, ()), settings) for number in range(settings.partitions)}
    for number, answers in oracle.items():
        _judge_results(number, answers, results.get(number, ()), broken)
        _judge_letters(number, answers, source.get(number, ()), dead_letters.get(number, ()), broken)
    written = by_place(settings.results_topic, results) | by_place(settings.dead_letter_topic, dead_letters)
    decided = [value for answers in oracle.values() for _, value in answers.results]
    histories = {number: answers.histories for number, answers in oracle.items()}
    broken.add("histories_different", evidence.wrong_histories(beside.histories, histories))
    broken.add("replay_different", evidence.wrong_replay(beside.replayed, decided))
    broken.add("views_different", evidence.wrong_views(beside.watched, written))
    broken.add("offsets_back", evidence.offsets_that_went_back(beside.committed))
    broken.add("unfinished", evidence.offsets_not_at_the_end(beside.at_end))
    broken.add("hanging", evidence.hanging_transactions(beside.ends))
    broken.add("input_different", evidence.wrong_input(beside.sent, by_place(settings.input_topic, source)))
    return broken.verdict(*(sum(map(len, topic.values())) for topic in (source, results, dead_letters)))


class _Broken:
    """The places at which each invariant was broken."""

    def __init__(self) -> None:
        self.member_order = 0
        self._places: dict[str, list[str]] = {name: [] for name in SENTENCES}

    def add(self, name: str, places: Iterable[str]) -> None:
        self._places[name].extend(places)

    def verdict(self, records: int, results: int, dead_letters: int) -> Verdict:
        return Verdict(
            records,
            results,
            dead_letters,
            member_order_violations=self.member_order,
            **{name: len(places) for name, places in self._places.items()},
            first={name: places[0] for name, places in self._places.items() if places},
        )


def _judge_results(number: int, answers: Expected, found: Sequence[ConsumerRecord], broken: _Broken) -> None:
    laid = match(answers.results, [(record.key, record.value) for record in found])
    causes = answers.causes
    cause_of = {(found[place].key, found[place].value): causes[first] for first, place in laid.matched}
    again = [cause_of[found[place].key, found[place].value] for place in laid.again]
    _judge(f"partition {number}", "result", laid, causes, again, broken)
    by_member: defaultdict[Any, list[tuple[int, int]]] = defaultdict(list)
    for pair in laid.matched:
        by_member[found[pair[1]].key].append(pair)
    broken.member_order += sum(len(out_of_order(pairs)) for pairs in by_member.values())


def _judge_letters(
    number: int,
    answers: Expected,
    source: Sequence[ConsumerRecord],
    found: Sequence[ConsumerRecord],
    broken: _Broken,
) -> None:
    by_offset = {record.offset: record for record in source}
    letters = [read_letter(record, by_offset) for record in found]
    laid = match(answers.letters, letters)
    causes = [letter.offset for letter in answers.letters]
    again = [letter.offset for place in laid.again if (letter := letters[place]) is not None]
    _judge(f"partition {number}", "dead letter", laid, causes, again, broken)


def _judge(
    where: str, what: str, laid: Match, causes: Sequence[int], again: Sequence[int], broken: _Broken
) -> None:
    """Note what is wrong with the results, or the dead letters, of one partition.

    ``causes`` are the input offsets of what is expected, ``again`` those of what came more than once.
    """

    def of(offsets: Iterable[int]) -> list[str]:
        return [f"{what} of {where} input offset {offset}" for offset in sorted(set(offsets))]

    def standing(places: Iterable[int]) -> list[str]:
        return [f"{what} {place} of {where}" for place in places]

    broken.add("losses", of(causes[place] for place in laid.missing))
    broken.add("duplicates", of(again))
    broken.add("extra", standing(laid.foreign))
    broken.add("different", standing(place for _, place in laid.different))
    broken.add("order_violations", standing(laid.moved))
