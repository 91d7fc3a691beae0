"""The schemas and their examples, as the contract's tests and ``write_goldens`` read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

SCHEMAS = Path(__file__).parents[2] / "schemas"
EXAMPLES = SCHEMAS / "examples"
EXPECTATIONS = (".result.json", ".rejected.json")


def example_files() -> list[Path]:
    """Every example event, without the expectations beside them."""
    return [path for path in sorted(EXAMPLES.glob("*/*.json")) if not path.name.endswith(EXPECTATIONS)]


def history_files() -> list[Path]:
    """Every example history: the events of one member in the order in which they come, one a line."""
    return sorted(path for path in EXAMPLES.glob("histories/*.jsonl") if ".results." not in path.name)


def example_name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def example_documents() -> dict[str, dict[str, Any]]:
    """Every example event by name, parsed."""
    return {example_name(path): json.loads(path.read_text()) for path in example_files()}


def load_schema(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    return document


def schema_names() -> list[str]:
    return sorted(path.name.removesuffix(".schema.json") for path in SCHEMAS.glob("*.schema.json"))


def validator(name: str) -> Draft202012Validator:
    """A validator for one schema file that asserts formats and finds the other files by their $id."""
    resources = [Resource.from_contents(load_schema(each)) for each in schema_names()]
    registry: Registry[Any] = Registry().with_resources((each.id() or "", each) for each in resources)
    return Draft202012Validator(
        load_schema(name), registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER
    )


def keeps_cross_field_rules(event: dict[str, Any]) -> bool:
    """The rules that the schemas list under ``x-mms-rules``, for an event that the schemas accept."""
    data = event["data"]
    lesions = [each["lesion"] for each in (data.get("documentation") or {}).get("lesions") or []]
    if len(set(lesions)) != len(lesions):
        return False
    if event["type"] != "mms.claim.submitted.v1":
        return True
    numbers = [line["line"] for line in data["lines"]]
    pointers = [pointer for line in data["lines"] for pointer in line["diagnosis_pointers"]]
    replaces = data["frequency_code"] != "1"
    return (
        len(set(numbers)) == len(numbers)
        and max(pointers) <= len(data["diagnoses"])
        and not (replaces and data["original_claim_id"] == data["claim_id"])
    )
