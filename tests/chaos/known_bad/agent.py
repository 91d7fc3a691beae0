"""The worker's job as a plain Faust agent, in the way that Faust's guide shows: it loses results.

It is here so that the fault tests have something to catch: a harness that finds nothing wrong with it proves
nothing about the worker. It decides with the same pure function, keeps histories in a table, sends with
``topic.send``, and leaves offsets to Faust. It has the worker's timeouts and nothing else of it.

What loses a result (faust-streaming 0.15.3): ``await topic.send()`` returns when the record is in the
producer's buffer; the event is acknowledged when the agent asks for the next one. Before an offset is
committed Faust calls ``Producer.flush()``, which waits until every batch is delivered *or has failed*, and
looks at neither. A batch that the broker has not acknowledged within ``producer_request_timeout`` fails
(``_on_published`` logs a warning), and the offset behind its records is committed all the same. From then on
nobody knows of them: killed or not, no agent reads them again. Faust's default timeout of 20 minutes only
makes it rarer; a result that the broker refuses, being too large, is lost at once. (What is sent with
``send_soon``, such as the table's changelog, is waited for 0.1 s only.)

Run with the worker's settings in the environment: ``python agent.py --datadir DIR worker --without-web``.
"""

from __future__ import annotations

import faust
from faust.types import StreamT

from worker.adjudication import Rejected, adjudicate, decode, encode
from worker.reference import load_reference
from worker.settings import load_settings

settings = load_settings()
reference = load_reference()

app = faust.App(
    settings.app_id,
    broker=[f"kafka://{server}" for server in settings.bootstrap_servers.split(",")],
    topic_partitions=settings.partitions,
    topic_replication_factor=settings.replication,
    producer_request_timeout=settings.request_timeout_s,
    broker_session_timeout=settings.session_timeout_s,
    broker_heartbeat_interval=settings.heartbeat_interval_s,
)
claim_events, claim_results, dead_letters = (
    app.topic(name, key_serializer="raw", value_serializer="raw")
    for name in (settings.input_topic, settings.results_topic, settings.dead_letter_topic)
)
histories = app.Table("histories", key_type=bytes, value_type=bytes)


@app.agent(claim_events)
async def decide(stream: StreamT[bytes]) -> None:
    async for event in stream.events():
        message = event.message
        claim = decode(event.value, message.headers)
        answer = (
            claim
            if isinstance(claim, Rejected)
            else adjudicate(claim, histories.get(event.key), reference, settings.limits)
        )
        if isinstance(answer, Rejected):
            reason = {"mms.dlq.reason": answer.reason.encode()}
            await dead_letters.send(
                key=event.key, value=event.value, partition=message.partition, headers=reason
            )
            continue
        if answer.history is not None:
            histories[event.key] = answer.history
        for result in answer.results:
            await claim_results.send(key=event.key, value=encode(result), partition=message.partition)


if __name__ == "__main__":
    app.main()
