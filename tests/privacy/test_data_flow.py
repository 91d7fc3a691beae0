"""``deploy/security/phi.md`` names every place where something of a claim could be: is that all?"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from aiokafka import ConsumerRecord
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import worker
from tests.grafana.test_metrics_page import METRICS
from tests.stream.streamkit import Stream, claims, partition
from worker.devkit.process import run
from worker.settings import Settings, variable
from worker.stream.deadletters import ADDED, SEALED
from worker.stream.redrive.ledger import ledger_topic
from worker.stream.redrive.sending import REDRIVE
from worker.stream.results import TRACEPARENT
from worker.stream.signature import SIGNATURE, SIGNED
from worker.stream.spans import Spans
from worker.stream.topics import specs

PACKAGE = Path(worker.__file__).parent
PAGE = PACKAGE.parent / "deploy" / "security" / "phi.md"
DEFAULTS = Settings()
RETENTIONS = {
    DEFAULTS.input_topic: "input_retention_days",
    DEFAULTS.results_topic: "results_retention_days",
    DEFAULTS.dead_letter_topic: "dead_letter_retention_days",
}
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
SPREAD = {"sealed_with", "not_sealed"}
"""Fields of the one line that has a dictionary of them: ids of keys, and counts."""
WITHIN_S = 60.0


@cache
def rows() -> dict[str, str]:
    """The rows of the page's tables by their first cell."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    return {line.split("|")[1].strip(): line for line in lines}


def names(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


def said(row: str, behind: str) -> set[str]:
    """The names in a row between a word and the end of its sentence, cell or parenthesis."""
    listed = rows()[row].partition(behind)[2]
    return names(re.split(r"\.(?: |\Z)|; (?=links|exemplars)| \| ", listed)[0])


def logged() -> Iterator[tuple[ast.Call, Path]]:
    """Every line of code that logs."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in {*LEVELS, "bind"}
                and ast.unparse(node.func.value).split(".")[-1] in {"log", "_log"}
            ):
                yield node, path


def test_every_topic_is_there_with_its_retention() -> None:
    for spec in specs(DEFAULTS):
        row = rows()[f"`{spec.name}`"]
        if spec.config["cleanup.policy"] == "compact":
            assert "compacted" in row
        else:
            setting = RETENTIONS[spec.name]
            assert f"`{variable(setting)}`, {getattr(DEFAULTS, setting):g} days" in row
    assert rows()[f"`{ledger_topic(DEFAULTS)}`"].endswith("for ever |")


def test_every_header_is_there() -> None:
    letters, results = (
        rows()[f"`{topic}`"] for topic in (DEFAULTS.dead_letter_topic, DEFAULTS.results_topic)
    )
    assert {*ADDED, SEALED} <= names(letters)
    assert {*SIGNED, SIGNATURE, TRACEPARENT} <= names(results)
    assert {REDRIVE, TRACEPARENT, *SIGNED} <= names(rows()[f"`{DEFAULTS.input_topic}`"])


def test_every_field_of_a_log_is_there_and_no_other() -> None:
    fields = {keyword.arg for call, _ in logged() for keyword in call.keywords if keyword.arg is not None}
    assert said("logs on standard error", "Fields: ") == fields | SPREAD


def test_no_line_of_a_log_is_put_together_from_values() -> None:
    spread = [path for call, path in logged() for keyword in call.keywords if keyword.arg is None]
    assert spread == [PACKAGE / "stream" / "lane.py"]  # SPREAD
    for call, path in logged():
        assert not any(isinstance(part, ast.JoinedStr | ast.BinOp) for part in call.args), (path, call.lineno)


def test_every_label_of_a_metric_is_there_and_no_other() -> None:
    labels = {label for family in METRICS.values() for label in family}
    assert said("`/metrics`", "Labels: ") == labels


def test_every_attribute_of_a_span_is_there_and_no_other() -> None:
    exporter = InMemorySpanExporter()
    spans = Spans(DEFAULTS, SimpleSpanProcessor(exporter))
    spans.batch([ConsumerRecord("t", 0, 7, 1, 0, b"k", b"v", None, 1, 1, ())], 1, KeyError())
    (span,) = exporter.get_finished_spans()
    assert said("traces (`MMS_TRACES=otlp`)", "A span is a batch: ") == set(span.attributes or {})


def test_every_test_that_it_names_exists() -> None:
    named = set(re.findall(r"tests/[\w/]+(?:\.py)?", PAGE.read_text()))
    assert named
    assert [path for path in named if not (PACKAGE.parent / path).exists()] == []


async def test_a_tombstone_deletes_what_is_held_of_a_member(
    stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (claim,) = claims(1)
    assert claim.key is not None
    worker = stream.worker()
    await stream.publish([claim])
    await stream.drained(1)
    assert worker.stop(WITHIN_S)
    assert claim.key in (await stream.restored())[partition(claim)]

    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    written, member = tmp_path / "forget.py", tmp_path / "member"
    written.write_text(program)
    member.write_bytes(claim.key + b"\n")
    command = [part for part in stream.command() if part not in {"-m", "worker"}]
    done = run(["sh", "-c", f'"$@" < {member}', "sh", *command, str(written)], WITHIN_S)
    assert done.returncode == 0, done.stdout
    assert claim.key not in (await stream.restored())[partition(claim)]
    shown = run(stream.command("history", "show", claim.key.decode()), WITHIN_S)
    assert shown.returncode == 1
    assert "no history of that member is held" in shown.stdout
