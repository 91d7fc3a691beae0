"""The AsyncAPI document stands: its references resolve, and it says what the code and the schemas say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from tests.contract.corpus import SCHEMAS, load_schema, schema_names
from worker.adjudication.claim import DATA_TYPES
from worker.adjudication.cloudevent import Attributes
from worker.adjudication.decode import Reason
from worker.settings import Settings
from worker.stream.deadletters import ADDED, SEALED
from worker.stream.redrive.ledger import Entry, ledger_spec
from worker.stream.redrive.sending import REDRIVE
from worker.stream.topics import TopicSpec, specs

DOCUMENT: dict[str, Any] = yaml.safe_load((SCHEMAS / "asyncapi.yaml").read_text())
MESSAGES: dict[str, dict[str, Any]] = DOCUMENT["components"]["messages"]
DESCRIBABLE = (
    "cleanup.policy",
    "retention.ms",
    "retention.bytes",
    "delete.retention.ms",
    "max.message.bytes",
)
"""The topic settings that the AsyncAPI binding for Kafka has a place for."""
DEFAULTS = Settings.model_construct()


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolve(reference: str, home: Path) -> Any:
    """What a reference in the file ``home`` points at; KeyError or OSError when it points at nothing."""
    name, _, pointer = reference.partition("#")
    path = home.parent / name if name else home
    value: Any = DOCUMENT if path.suffix == ".yaml" else json.loads(path.read_text())
    for step in pointer.split("/")[1:]:
        value = value[step]
    return value


def message(reference: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = resolve(reference["$ref"], SCHEMAS / "asyncapi.yaml")
    return found


def on_channel(channel: str) -> list[dict[str, str]]:
    """References to the messages of a channel."""
    return list(DOCUMENT["channels"][channel]["messages"].values())


def header_names(schema: dict[str, Any]) -> set[str]:
    """Every header that a message's header schema names."""
    if "$ref" in schema:
        return header_names(resolve(schema["$ref"], SCHEMAS / "asyncapi.yaml"))
    names = set(schema.get("properties", ()))
    for part in schema.get("allOf", ()):
        names |= header_names(part)
    return names


def test_it_is_asyncapi_3() -> None:
    assert DOCUMENT["asyncapi"].startswith("3.")
    assert DOCUMENT.keys() >= {"info", "channels", "operations", "components"}


def test_every_reference_of_the_document_and_of_the_schemas_resolves() -> None:
    home = SCHEMAS / "asyncapi.yaml"
    found = [(home, reference) for reference in references(DOCUMENT)]
    for name in schema_names():
        path = SCHEMAS / f"{name}.schema.json"
        found += [(path, reference) for reference in references(load_schema(name))]
    assert len(found) > 50
    for path, reference in found:
        assert resolve(reference, path) is not None, (path.name, reference)


@pytest.mark.parametrize("channel", DOCUMENT["channels"])
def test_every_message_of_a_channel_has_payload_headers_and_content_type(channel: str) -> None:
    sent = DOCUMENT["channels"][channel]["messages"]
    assert sent
    for each in map(message, sent.values()):
        assert "payload" in each
        assert each["headers"]
        assert each.get("contentType", DOCUMENT["defaultContentType"])


def test_every_component_message_is_on_a_channel_and_every_channel_has_an_operation() -> None:
    on_channels = {name for channel in DOCUMENT["channels"].values() for name in channel["messages"]}
    assert on_channels == set(MESSAGES)
    operated = {operation["channel"]["$ref"] for operation in DOCUMENT["operations"].values()}
    assert operated == {f"#/channels/{name}" for name in DOCUMENT["channels"]}


def test_the_input_channel_carries_every_event_type_the_code_decodes() -> None:
    names = {message(each)["name"] for each in DOCUMENT["channels"]["claimEvents"]["messages"].values()}
    assert names == {*DATA_TYPES, "structuredEvent"}
    for each in MESSAGES.values():
        if each["name"] in DATA_TYPES:
            typed = [part["properties"]["ce_type"]["const"] for part in each["headers"]["allOf"][1:]]
            assert typed == [each["name"]]
            assert header_names(each["headers"]) >= {f"ce_{name}" for name in Attributes.__struct_fields__}


@pytest.mark.parametrize(
    "spec", [*specs(DEFAULTS), ledger_spec(DEFAULTS, DEFAULTS.partitions)], ids=lambda spec: spec.name
)
def test_topics_are_described_as_the_worker_makes_them_by_default(spec: TopicSpec) -> None:
    [channel] = [each for each in DOCUMENT["channels"].values() if each["address"] == spec.name]
    kafka = channel["bindings"]["kafka"]
    assert (kafka["topic"], kafka["partitions"], kafka["replicas"]) == (
        spec.name,
        spec.partitions,
        spec.replication,
    )
    described = {
        name: ",".join(value) if isinstance(value, list) else str(value)
        for name, value in kafka["topicConfiguration"].items()
    }
    assert described == {name: spec.config[name] for name in DESCRIBABLE if name in spec.config}


def test_records_are_keyed_by_member_except_dead_letters_which_keep_their_own_key() -> None:
    for name, each in MESSAGES.items():
        keyed = each.get("bindings") == {"$ref": "#/components/messageBindings/keyedByMember"}
        assert keyed is (name not in {"deadLetter", "redrivenDeadLetter"})


def test_dead_letters_say_why_in_headers_with_the_reasons_of_the_code() -> None:
    headers = DOCUMENT["components"]["schemas"]["deadLetterHeaders"]
    assert headers["required"] == list(ADDED)
    assert list(headers["properties"]) == [*ADDED, SEALED]
    assert headers["properties"]["mms.dlq.reason"]["enum"] == list(get_args(Reason))


def test_every_event_may_carry_the_header_of_a_redrive_and_no_result_does() -> None:
    for name, each in MESSAGES.items():
        carries = REDRIVE in header_names(each["headers"])
        assert carries is ({"$ref": f"#/components/messages/{name}"} in on_channel("claimEvents"))


def test_an_entry_of_a_redrive_is_described_as_it_is_written() -> None:
    entry = DOCUMENT["components"]["schemas"]["redriveEntry"]
    assert entry["required"] == list(entry["properties"]) == list(Entry.__struct_fields__)


def test_schemas_are_valid_2020_12_with_stable_ids_and_titles() -> None:
    for name in schema_names():
        schema = load_schema(name)
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        assert schema["$id"].endswith(f"/{name}.schema.json")
        assert schema["title"]
        assert schema["description"]
