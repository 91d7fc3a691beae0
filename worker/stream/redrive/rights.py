"""What a person must be allowed who looks at dead letters or redrives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiokafka.errors import TopicAuthorizationFailedError, TransactionalIdAuthorizationFailed

from worker.stream.redrive.ledger import ledger_topic

if TYPE_CHECKING:
    from worker.settings import Settings
    from worker.stream.errors import Grants


def to_read(settings: Settings) -> Grants:
    """What looking at dead letters needs."""
    topics = f"Describe and Read on the topics {settings.dead_letter_topic} and {ledger_topic(settings)}"
    return {TopicAuthorizationFailedError: topics}


def to_redrive(settings: Settings) -> Grants:
    """What redriving them needs, a dry run included."""
    ledger = ledger_topic(settings)
    topics = (
        f"Describe and Read on the topic {settings.dead_letter_topic}, Describe and Write on "
        f"{settings.input_topic}, Create, Describe, DescribeConfigs, Read and Write on {ledger}"
    )
    ids = f"Describe and Write on the transactional ids that begin with {ledger}-"
    return {TopicAuthorizationFailedError: topics, TransactionalIdAuthorizationFailed: ids}
