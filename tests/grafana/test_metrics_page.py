"""The metrics page of a worker at work: its forms, its names, and the values that labels may have."""

from __future__ import annotations

import asyncio
import subprocess
from collections import defaultdict
from contextlib import ExitStack
from importlib.metadata import version as package_version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, get_args

import orjson
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families

from tests.grafana.live import Load, demo_load
from tests.grafana.pages import OPEN_METRICS, PROMETHEUS, TEXT, Page, metrics_page
from tests.grafana.programs import program
from tests.stream.streamkit import PARTITIONS, Stream, until
from worker.adjudication.claim import DATA_TYPES
from worker.adjudication.decode import Reason
from worker.adjudication.history import Change
from worker.codes.vocabulary import load_vocabulary
from worker.devkit.ports import free_ports
from worker.reference import load_reference
from worker.stream.metrics import RestartReason, TransactionResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.devkit.kafka import KafkaBroker
    from worker.devkit.traffic import Outgoing

CLAIMS = 400
SEED = 64
TOPIC = "metrics-page.in"
SCHEMA = Path(__file__).parents[2] / "schemas" / "claim-adjudicated.schema.json"

METRICS: Mapping[str, Sequence[str]] = {
    "mms_records_consumed_total": ["topic"],
    "mms_events_total": ["type"],
    "mms_decisions_total": ["outcome"],
    "mms_line_decisions_total": ["decision", "carc"],
    "mms_findings_total": ["rule", "verdict"],
    "mms_policy_applied_total": ["policy", "version"],
    "mms_readjudications_total": ["cause"],
    "mms_facts_needed_total": ["fact"],
    "mms_mohs_units_billed_total": ["procedure"],
    "mms_dead_letters_total": ["reason"],
    "mms_transactions_total": ["result"],
    "mms_lane_restarts_total": ["reason"],
    "mms_rebalances_total": [],
    "mms_history_evictions_total": [],
    "mms_decision_duration_seconds": [],
    "mms_batch_duration_seconds": ["stage"],
    "mms_batch_records": [],
    "mms_commit_duration_seconds": [],
    "mms_end_to_end_latency_seconds": ["outcome"],
    "mms_restore_duration_seconds": [],
    "mms_consumer_lag_records": ["topic", "partition"],
    "mms_consumer_lag_seconds": ["topic", "partition"],
    "mms_stable_offset": ["topic", "partition"],
    "mms_unstable_records": ["topic", "partition"],
    "mms_oldest_pend_seconds": [],
    "mms_partitions": [],
    "mms_assigned_partitions": [],
    "mms_working_partitions": [],
    "mms_ready": [],
    "mms_history_members": ["partition"],
    "mms_history_bytes": ["partition"],
    "mms_last_commit_timestamp_seconds": [],
    "mms_code_set_info": ["name", "release"],
    "mms_code_set_expiry_timestamp_seconds": ["name"],
    "mms_policy_expiry_timestamp_seconds": ["policy"],
    "mms_build_info": ["version", "policy_digest", "codes_digest"],
    "mms_dead_letter_share": [],
    "mms_dead_letter_limit": [],
    "mms_breaker_open": [],
}
"""What dashboards and alerts may name; a histogram by the name of its buckets' family."""
SERIES = ("_bucket", "_sum", "_count")
OF_TIME = ("mms_oldest_pend_seconds", "mms_dead_letter_share")
"""What is another at the next scrape though nothing happens."""


class Served(NamedTuple):
    """The page of a worker that has decided a load, in the forms that it can be asked for."""

    load: Sequence[Outgoing]
    text: Page
    open_metrics: Page
    to_prometheus: Page
    to_browser: Page


@pytest.fixture(scope="module")
def served(kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """One worker's page, for all tests here."""
    return asyncio.run(_served(kafka, tmp_path_factory.mktemp("page")))


async def _served(kafka: KafkaBroker, directory: Path) -> Served:
    outgoing = demo_load(CLAIMS, SEED)
    (port,) = free_ports(1)
    with ExitStack() as ending:
        stream = Stream(kafka.bootstrap, "metrics-page", directory, ending, web_port=port)
        await stream.create_topics()
        worker = stream.worker()
        await Load(stream).send(outgoing)

        async def is_caught_up() -> bool:
            counted = await worker.metric(f'mms_records_consumed_total{{topic="{TOPIC}"}}')
            lags = [await worker.metric(lag_of(number)) for number in range(PARTITIONS)]
            return counted == len(outgoing) and lags == [0] * PARTITIONS

        await until(is_caught_up, "the worker to have counted all records, and to know that it has")
        accepted = (TEXT, OPEN_METRICS, PROMETHEUS, "text/html,*/*")
        return Served(outgoing, *[await metrics_page(port, accept) for accept in accepted])


def lag_of(partition: int) -> str:
    return f'mms_consumer_lag_records{{partition="{partition}",topic="{TOPIC}"}}'


def test_promtool_has_nothing_to_say_against_the_page(served: Served) -> None:
    done = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=served.text.text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_scraper_is_served_the_form_that_it_asks_for_and_others_text(served: Served) -> None:
    assert served.text.content_type.startswith("text/plain; version=0.0.4")
    assert served.to_browser.content_type == served.text.content_type
    assert served.open_metrics.content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert served.to_prometheus.content_type == served.open_metrics.content_type
    assert served.open_metrics.text.endswith("# EOF\n")


def test_both_forms_say_the_same(served: Served) -> None:
    asked_at_once = [
        {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
            if family.name.startswith("mms_") and family.name not in OF_TIME
        }
        for families in (text_families(served.text.text), open_metrics_families(served.open_metrics.text))
    ]
    assert asked_at_once[0]
    assert asked_at_once[0] == asked_at_once[1]


def test_every_metric_is_there_with_its_labels_and_no_other(served: Served) -> None:
    found: defaultdict[str, set[frozenset[str]]] = defaultdict(set)
    for family in text_families(served.text.text):
        assert family.documentation.endswith("."), family.name
        for sample in family.samples:
            name = sample.name
            if family.type == "histogram":
                name = next(name.removesuffix(end) for end in SERIES if name.endswith(end))
            found[name].add(frozenset(sample.labels) - {"le"})
    of_process = {name for name in found if name.startswith("process_")}
    assert of_process >= {"process_resident_memory_bytes", "process_cpu_seconds_total"}
    told = {name: labels for name, labels in found.items() if name not in of_process}
    assert told == {name: {frozenset(labels)} for name, labels in METRICS.items()}


def test_every_label_value_comes_from_a_closed_set(served: Served) -> None:
    closed = closed_sets()
    strangers = {
        (sample.name, label, value)
        for family in text_families(served.text.text)
        for sample in family.samples
        for label, value in sample.labels.items()
        if label != "le" and value not in (closed.get((family.name, label)) or closed["", label])
    }
    assert not strangers


def test_nothing_that_tells_of_a_person_is_on_any_page(served: Served) -> None:
    events = [record.event["data"] for record in served.load if record.event is not None]
    told = {
        str(value)
        for data in events
        for value in (
            data["member_id"], data["claim_id"], data.get("payer_id"), data.get("clia_number"),
            *data.get("diagnoses", ()), *data.get("billing_provider", {}).values(),
            *data.get("rendering_provider", {}).values(),
        )
        if value is not None
    }  # fmt: skip
    assert len(told) > CLAIMS
    for page in (served.text, served.open_metrics):
        assert not [value for value in told if value in page.text]


def closed_sets() -> Mapping[tuple[str, str], set[str]]:
    """The values that a label may have, by metric (empty: of any) and label."""
    reference = load_reference(None, None, None)
    documents = reference.policies.documents
    versions = [version for document in documents.values() for version in document.versions]
    indications = [
        one.id for version in versions if version.necessity for one in version.necessity.indications
    ]
    schema = orjson.loads(SCHEMA.read_bytes())
    kinds = schema["$defs"]
    releases = [(dated.name, name) for dated in reference.code_sets.sets for _, name, _ in dated.releases]
    return {
        ("", "topic"): {TOPIC},
        ("", "partition"): {str(number) for number in range(PARTITIONS)},
        ("", "type"): set(DATA_TYPES),
        ("", "outcome"): set(schema["properties"]["outcome"]["enum"]),
        ("", "decision"): set(kinds["line_decision"]["properties"]["decision"]["enum"]),
        ("", "carc"): {"", *load_vocabulary().carcs},
        ("", "rule"): {rule for version in versions for rule in version.rules}
        | {f"necessity.{indication}" for indication in indications}
        | {"policy.not-in-force"},
        ("", "verdict"): set(kinds["finding"]["properties"]["verdict"]["enum"]),
        ("", "policy"): set(documents),
        ("mms_policy_applied", "version"): {version.version for version in versions},
        ("", "cause"): set(get_args(Change)),
        ("", "fact"): set(kinds["needed"]["properties"]["facts"]["items"]["enum"]),
        ("", "procedure"): {"17311", "17312", "17313", "17314", "17315"},
        ("mms_dead_letters", "reason"): set(get_args(Reason)),
        ("mms_lane_restarts", "reason"): set(get_args(RestartReason)),
        ("", "result"): set(get_args(TransactionResult)),
        ("", "stage"): {"decide", "send", "commit"},
        ("", "name"): {name for name, _ in releases},
        ("", "release"): {release for _, release in releases},
        ("mms_build_info", "version"): {package_version("mms-adjudication-worker")},
        ("", "policy_digest"): {reference.policies.digest},
        ("", "codes_digest"): {reference.code_sets.digest},
    }
