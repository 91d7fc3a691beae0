"""The report's structure: what it says for each question, and that nothing gets into or out of it."""

from __future__ import annotations

import re
from base64 import b64encode
from collections import Counter
from functools import cache
from hashlib import sha256
from html.parser import HTMLParser
from itertools import pairwise

import msgspec
import pytest

from tests.replay import samples
from worker.replay.output.report import report
from worker.replay.output.report.phrases import DASH, MINUS
from worker.replay.output.summary import Summary

VOID = {"meta", "input"}
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title></script>",
    "&lt;b&gt; & co",
    "'--><svg onload=alert(1)>",
    "CLM-\u202e\u2067drow\u2069",
    "line\nbreak\ttab\x00\x1b[31m",
    "\ud800 lone",
    "W" * 80,
    "Käse-病歴-🩺",
)
KINDS = ("reproduced", "replayed", "what_if", "impact")


class Page(HTMLParser):
    """The page taken apart; it checks that every element is closed where it must be."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.inline: dict[str, str] = {}
        self.headings: list[tuple[int, str]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        inside = self.open[-1] if self.open else ""
        if inside in {"style", "script"}:
            self.inline[inside] = self.inline.get(inside, "") + data
            return
        self.words.append(data)
        level = next((one for one in reversed(self.open) if re.fullmatch("h[1-6]", one)), None)
        if level is not None:
            self.headings[-1] = (self.headings[-1][0], self.headings[-1][1] + data)

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def values(self, name: str) -> list[str]:
        return [value for _, key, value in self.attributes if key == name]


@cache
def page_of(name: str) -> Page:
    told = getattr(samples, name)()
    return Page(report(told, samples.examples(told)))


@pytest.mark.parametrize("name", KINDS)
def test_the_samples_add_up(name: str) -> None:
    told: Summary = getattr(samples, name)()
    counts = told.counts
    for of_outcome, side in ((counts.outcomes_before, 0), (counts.outcomes_after, 1)):
        flows: Counter[str] = Counter()
        for before, to in counts.outcome_flows.items():
            for after, count in to.items():
                flows[(before, after)[side]] += count
        del flows["none"]
        assert +flows == Counter(of_outcome)
    assert sum(map(sum, (one.values() for one in counts.causes_by_day.values()))) == counts.results_differing


@pytest.mark.parametrize("name", KINDS)
def test_a_page_is_well_formed_and_its_references_hold(name: str) -> None:
    page = page_of(name)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {one.removeprefix("#") for one in page.values("href")} <= set(ids)
    named = {one for value in page.values("aria-labelledby") for one in value.split()}
    assert named | set(page.values("for")) <= set(ids)
    assert page.tags["main"] == page.tags["h1"] == 1


@pytest.mark.parametrize("name", KINDS)
def test_headings_go_down_one_level_at_a_time(name: str) -> None:
    levels = [level for level, _ in page_of(name).headings]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("name", KINDS)
def test_every_table_has_a_caption_and_every_header_a_scope(name: str) -> None:
    page = page_of(name)
    assert page.tags["table"] == page.tags["caption"] > 0
    assert page.tags["th"] == len(page.values("scope"))


def test_every_picture_is_named_and_has_its_numbers_in_a_table() -> None:
    page = page_of("what_if")
    pictures = page.values("role").count("img")
    assert pictures == 3
    assert page.tags["desc"] == pictures
    for number in ("97.8%", "$240,889.00", f"{MINUS}164", "10,146"):
        assert number in page.text


@pytest.mark.parametrize("name", KINDS)
def test_nothing_is_asked_for_from_outside(name: str) -> None:
    told = getattr(samples, name)()
    html = report(told, samples.examples(told))
    assert "http:" not in html
    assert "https:" not in html
    page = Page(html)
    assert not {"src", "style", "action", "srcset"} & {key for _, key, _ in page.attributes}
    assert not {"link", "img", "iframe", "base", "form", "object"} & set(page.tags)
    assert not [key for _, key, _ in page.attributes if key.startswith("on")]


def test_the_policy_of_the_page_lets_in_its_own_style_and_script_alone() -> None:
    page = page_of("replayed")
    policy = next(value for value in page.values("content") if value.startswith("default-src"))
    hashes = {
        name: b64encode(sha256(inline.encode()).digest()).decode() for name, inline in page.inline.items()
    }
    assert policy.split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{hashes['style']}'",
        f"script-src 'sha256-{hashes['script']}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_gets_out_of_its_place(text: str) -> None:
    told = samples.replayed()
    plain = samples.example("tampered", claim="CLM-1")
    line = msgspec.structs.replace(
        samples.PAID.lines[0],
        adjustments=text,
        asked=text,
        billed=text,
        findings=(samples.ShownFinding(text, text, text, text, text, text, text),),
    )
    side = msgspec.structs.replace(samples.PAID, outcome=text, policies=text, engine=text, lines=(line,))
    shown = msgspec.structs.replace(
        plain, claim_id=text, event_type=text, why=text, before=side, member_id=text
    )
    told.counts.events_rejected[text] = 1
    told = msgspec.structs.replace(
        told,
        with_phi=True,
        sources=(samples.SourceSummary("events", text, None, 0, 1, 1, text),),
        window=samples.Window(text, text, text, text),
    )
    html = report(told, [shown])
    html.encode()  # no lone surrogate is left
    page, usual = Page(html), Page(report(samples.replayed(), [plain]))
    assert set(page.tags) == set(usual.tags)
    assert page.inline == usual.inline
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x09\x0b-\x1f]", html)


def test_what_cannot_be_seen_in_a_claim_id_is_shown_by_its_code() -> None:
    html = report(samples.replayed(), [samples.example("extra", claim="A\u202eB\n<")])
    assert "<bdi>A\\u202eB\\n&lt;</bdi>" in html


def test_the_same_input_gives_the_same_bytes() -> None:
    first, again = (report(told, samples.examples(told)) for told in (samples.what_if(), samples.what_if()))
    assert first == again


def test_patients_data_is_there_only_if_asked_for_whatever_the_examples_hold() -> None:
    told = samples.replayed()
    shown = samples.examples(told)
    hidden = report(told, shown)
    assert [marker for marker in samples.PHI_MARKERS if marker in hidden] == []
    asked_for = report(msgspec.structs.replace(told, with_phi=True), shown)
    assert [marker for marker in samples.PHI_MARKERS if marker not in asked_for] == []


VERDICTS = {
    "reproduced": "Every published decision was reproduced, byte for byte.",
    "replayed": "Not everything was reproduced: 20 results differ.",
    "what_if": "Not everything was reproduced: 20 results differ. "
    "The other policies would have changed 225 results, 224 of them in the outcome.",
    "impact": "The new policies would change 190 results, 189 of them in the outcome.",
}


@pytest.mark.parametrize("name", VERDICTS)
def test_the_verdict_is_the_first_heading_and_the_title(name: str) -> None:
    page = page_of(name)
    assert page.headings[0] == (1, VERDICTS[name])
    assert VERDICTS[name] in page.words[1]


def test_both_questions_are_answered_apart() -> None:
    told = samples.summary("what-if", samples.SAME + samples.ASKED)
    assert Page(report(told, [])).headings[0][1] == (
        "Every published decision was reproduced, byte for byte. "
        "The other policies would have changed 225 results, 224 of them in the outcome."
    )
    told = samples.summary("what-if", samples.SAME)
    page = Page(report(told, []))
    assert page.headings[0][1].endswith("The other policies would have changed nothing.")
    assert "What this means" in page.text


def test_a_code_set_that_was_asked_for_is_called_so() -> None:
    told = samples.what_if()
    assert told.compared is not None
    other = msgspec.structs.replace(
        told.compared,
        policies_digest=told.recorded[0].policies_digest,
        code_sets_digest=samples.digest("new"),
    )
    assert "The other code sets would" in report(msgspec.structs.replace(told, compared=other), [])


def test_numbers_that_do_not_agree_are_no_reproduction() -> None:
    told = samples.reproduced()
    told.counts.results_decided += 1
    page = Page(report(msgspec.structs.replace(told, verdict="differs"), []))
    assert "the numbers of results do not agree" in page.headings[0][1]
    assert "What this means" not in page.text


@pytest.mark.parametrize(("left", "told"), [(0, None), (1, "1 result that differs has no place")])
def test_results_of_which_no_time_is_known_are_missed_over_time(left: int, told: str | None) -> None:
    counts = samples.replayed()
    counts.counts.results_by_cause["extra"] += left
    page = Page(report(counts, []))
    assert ("no time is known" in page.text) is bool(left)
    assert told is None or told in page.text


def test_a_window_without_decisions_is_said_to_have_none() -> None:
    page = Page(report(samples.summary("replay", ()), []))
    assert page.headings[0][1] == "There was no decision to look at."
    assert page.values("role").count("img") == 0


def test_where_all_was_reproduced_there_are_no_pictures_of_nothing() -> None:
    page = page_of("reproduced")
    assert page.values("role").count("img") == 0
    headings = [heading for _, heading in page.headings]
    assert headings[1:] == ["What this means", "What was replayed", "Outcomes, the same on both sides"]


def test_a_claim_shows_both_explanations_and_marks_what_only_one_has() -> None:
    html = report(samples.what_if(), [samples.example("policy")])
    claim = html[html.index('id="claim-1"') :]
    assert "As recorded" in claim
    assert "By the others" in claim
    for told in ("necessity.large-lesion", "necessity.indications", "CO-50:N130", "Indications, item 9"):
        assert told in claim
    assert claim.count('class="only"') == 2
    assert "Line 1 <em>differs</em>" in claim
    assert '<th scope="row">Line 2 </th><td colspan="2">' in claim


def test_a_claim_that_occurs_twice_is_shown_twice() -> None:
    html = report(
        samples.replayed(), [samples.example("extra", claim="CLM-1"), samples.example("history", 1, "CLM-1")]
    )
    assert html.count("<bdi>CLM-1</bdi>") == 2


def test_a_side_without_a_result_says_so() -> None:
    html = report(samples.replayed(), [samples.example("missing"), samples.example("extra", 1)])
    assert "No result → Void" in html
    assert "Pay → No result" in html


def test_a_hundred_claims_of_fifty_lines_stay_under_two_megabytes() -> None:
    def side(name: str, decision: str) -> samples.ShownResult:
        lines = tuple(
            samples.line(
                number,
                decision,
                tuple(samples.finding(f"necessity.rule-{rule}-{number}-{name}", "met") for rule in range(3)),
                differs=True,
            )
            for number in range(1, 51)
        )
        return samples.result(decision, lines)

    one = msgspec.structs.replace(samples.example("policy"), before=side("a", "pay"), after=side("b", "deny"))
    html = report(msgspec.structs.replace(samples.what_if(), with_phi=True), [one] * 100)
    assert len(html.encode()) < 2_000_000
    assert f"Lines 9{DASH}50 <em>differs; the rules are in the tables</em>" in html
