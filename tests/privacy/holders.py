"""Every class of the package, and instances of it that hold a planted value in each of their fields."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import worker
from tests.unredacted import fields

PLANTED = "Zq7Wx-planted"

CODES = "it is of policies, code sets or the calendar, which are public and know no claim"
PLACES = "it has topics, partitions, offsets, sizes, counts, times or digests alone"
GIVEN = "it is what the operator has given: paths, settings, bounds, addresses; secrets are in files"
REPORTS = "it is what pages and reports without PHI show, masked and withheld where that is needed"
RIGHTS = "it is of rights on topics, groups and transactional ids"

SHOWN: dict[str, str] = {
    "worker.adjudication.cite.RuleText": CODES,
    "worker.adjudication.codesets.AddOn": CODES,
    "worker.adjudication.codesets.Mue": CODES,
    "worker.adjudication.codesets.Tables": CODES,
    "worker.adjudication.decode.Rejected": "its path and message quote no value (tests/contract)",
    "worker.adjudication.edits.Pair": "its lines are services, which show nothing of themselves",
    "worker.adjudication.history.Limits": GIVEN,
    "worker.adjudication.policy.": CODES,
    "worker.adjudication.rulebook.InForce": CODES,
    "worker.codes.": CODES,
    "worker.commands.adjudicate.Outputs": GIVEN,
    "worker.commands.console.Output": "rich's; what it holds is the terminal",
    "worker.commands.dlq.Filters": GIVEN,
    "worker.commands.impact.": GIVEN,
    "worker.commands.loading.": GIVEN,
    "worker.commands.replay_options.": GIVEN,
    "worker.commands.replaying.Order": GIVEN,
    "worker.commands.settings_reference.Setting": "the reference of the settings, without anybody's values",
    "worker.commands.status.Look": GIVEN,
    "worker.commands.status_page._Trimmed": "what a page of the status shows, cut to the screen",
    "worker.commands.watching.Pace": PLACES,
    "worker.devkit.": "claims of the kit are made up",
    "worker.policies.": CODES,
    "worker.replay.deciding.what_if.Other": "how causes are called, and what decides, which shows nothing",
    "worker.replay.matching.leftovers.Place": PLACES,
    "worker.replay.output.": REPORTS,
    "worker.replay.planning.basis.": CODES,
    "worker.replay.planning.plan.": GIVEN,
    "worker.replay.planning.prechecks.Beginning": PLACES,
    "worker.replay.reading.archives.": PLACES,
    "worker.replay.reading.chain.ChainState": PLACES,
    "worker.replay.reading.evidence.": PLACES,
    "worker.replay.reading.topics.TopicSource": GIVEN,
    "worker.replay.reading.window.": GIVEN,
    "worker.replay.running.folder.Begun": PLACES,
    "worker.replay.running.processes._Child": "a process, its pipe, and what it was given",
    "worker.replay.running.processes._Job": GIVEN,
    "worker.replay.running.progress.Reached": PLACES,
    "worker.replay.running.working.ShardFiles": PLACES,
    "worker.replay.signatures.": "whose signature is right, by place and the key's id",
    "worker.settings.Settings": GIVEN,
    "worker.stream.app.": "Faust's; its beacon and state name services",
    "worker.stream.connecting.refusal.Attempt": GIVEN,
    "worker.stream.connecting.session.Connection": "aiokafka's; it names a host and a port",
    "worker.stream.connecting.tls.TlsFiles": GIVEN,
    "worker.stream.connecting.token_service.Client": GIVEN,
    "worker.stream.core.Core": "what decides, and digests and dates of what it decides by",
    "worker.stream.histories.Size": PLACES,
    "worker.stream.lane.Shared": "what lanes share: settings, metrics and the like, which show nothing",
    "worker.stream.offsets._Past": PLACES,
    "worker.stream.records.RawName": "a str as any other: what holds it is redacted",
    "worker.stream.records._Buffer": "a bytearray as any other, while a batch is parsed",
    "worker.stream.records._Name": "a bytearray as any other, while a batch is parsed",
    "worker.stream.redrive.ledger.Entry": PLACES,
    "worker.stream.redrive.places.Places": PLACES,
    "worker.stream.redrive.selection.Selection": GIVEN,
    "worker.stream.redrive.sending.Left": "where a letter is, and a sentence of the program",
    "worker.stream.redrive.sending.Outcome": PLACES,
    "worker.stream.redrive.sending.Redrive": GIVEN,
    "worker.stream.rights.": RIGHTS,
    "worker.stream.sealing.envelope.Place": PLACES,
    "worker.stream.sealing.master.MasterKey": "the key's id and never the key (tested below)",
    "worker.stream.stable_offsets.": PLACES,
    "worker.stream.status.backlog.Oldest": PLACES,
    "worker.stream.status.bases.": "its fields take versions and digests alone, checked by their form",
    "worker.stream.status.batch.Batch": PLACES,
    "worker.stream.status.group.": PLACES,
    "worker.stream.status.letters.Count": PLACES,
    "worker.stream.status.opened.": PLACES,
    "worker.stream.status.read.Read": PLACES,
    "worker.stream.status.standing.": REPORTS,
    "worker.stream.status.tails.": PLACES,
    "worker.stream.status.transaction_requests.": PLACES,
    "worker.stream.topics.": GIVEN,
    "worker.stream.transactions.features.": PLACES,
    "worker.stream.transactions.messages.EndTxnRequestV5": PLACES,
    "worker.stream.transactions.messages.EndTxnResponseV5": PLACES,
    "worker.stream.transactions.messages.ProduceResponseV12": PLACES,
    "worker.stream.transactions.messages.TxnOffsetCommitRequestV5": PLACES,
    "worker.stream.transactions.messages.TxnOffsetCommitResponseV5": PLACES,
    "worker.stream.transactions.producer._InFlight": "aiokafka's batches, which show nothing of themselves",
}
"""What may show its fields, and why. A name that ends in a dot is of all classes whose names begin so."""


def classes() -> list[type]:
    """Every class that a module of the package defines, those inside of others too."""
    found: dict[type, None] = {}
    for module in pkgutil.walk_packages(worker.__path__, "worker."):
        if not module.name.endswith("__main__"):
            _collect(vars(importlib.import_module(module.name)), module.name, found)
    return list(found)


def _collect(names: dict[str, Any], module: str, found: dict[type, None]) -> None:
    for value in names.values():
        if isinstance(value, type) and value.__module__ == module and value not in found:
            found[value] = None
            _collect(dict(vars(value)), module, found)


def name_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def excuse(kind: type) -> str | None:
    """The entry of ``SHOWN`` that a class may show its fields by."""
    name = name_of(kind)
    return next((key for key in SHOWN if name == key or (key.endswith(".") and name.startswith(key))), None)


def has_own_words(kind: type) -> bool:
    """Whether an instance may show more of itself than its type and address."""
    return (
        kind.__repr__ is not object.__repr__
        or kind.__str__ is not object.__str__
        or kind.__format__ is not object.__format__
        or hasattr(kind, "__rich__")
        or hasattr(kind, "__rich_repr__")
        or hasattr(kind, "__rich_console__")
    )


def planted(kind: Any, value: object = PLANTED) -> Any:
    """An instance with the value in each field; structs and named tuples take whatever they are given."""
    return kind(**dict.fromkeys(fields(kind), value))


def bodies(kinds: list[type]) -> Iterator[type]:
    """Those that hold fields and have no excuse to show them."""
    for kind in kinds:
        if has_own_words(kind) and excuse(kind) is None and not issubclass(kind, BaseException):
            yield kind
