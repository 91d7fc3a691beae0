"""Waiting ends with the answer, or says what did not come about and why brokers did not answer."""

from __future__ import annotations

import pytest
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaConnectionError
from confluent_kafka import KafkaException

from tests.stream.streamkit import Stuck, until


async def test_the_first_true_answer_is_given_of_a_function_and_of_a_coroutine_function() -> None:
    answers = iter([0, "", None, "there"])
    assert await until(lambda: next(answers), "it") == "there"

    async def answer() -> int:
        return 7

    assert await until(answer, "it") == 7


@pytest.mark.parametrize(
    "error",
    [GroupCoordinatorNotAvailableError(), KafkaException("down"), OSError(111, "refused"), TimeoutError()],
)
async def test_who_cannot_answer_is_asked_again(error: Exception) -> None:
    errors = iter([error, error])

    def asked() -> bool:
        for one in errors:
            raise one
        return True

    assert await until(asked, "it")


async def test_in_vain_says_for_how_long_for_what_and_why_there_was_no_answer() -> None:
    def asked() -> bool:
        raise KafkaConnectionError("nobody listens")

    with pytest.raises(Stuck, match=r"waited 0\.1 s in vain for a broker") as stuck:
        await until(asked, "a broker", within=0.1)
    assert isinstance(stuck.value.__cause__, KafkaConnectionError)


async def test_in_vain_with_answers_has_no_other_cause() -> None:
    with pytest.raises(Stuck) as stuck:
        await until(lambda: False, "it", within=0)
    assert stuck.value.__cause__ is None


async def test_what_is_wrong_with_the_question_ends_the_wait() -> None:
    def asked() -> bool:
        assert False, "it has ended"  # noqa: B011, PT015  as a test says it

    with pytest.raises(AssertionError, match="it has ended"):
        await until(asked, "it")
