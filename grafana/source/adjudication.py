"""What is decided and why: the mix of outcomes, denials, pends, and what decisions are made with."""

from __future__ import annotations

from grafana.source.basis import BASIS
from grafana.source.colours import OUTCOMES
from grafana.source.dashboard import Dashboard, Row
from grafana.source.kinds import Bars, Stat, Timeseries
from grafana.source.panel import About, coloured, named
from grafana.source.queries import Query, in_range, per_second, selected
from grafana.source.tables import Column, Matrix, Table
from worker.devkit.report import DENIALS

DAY = 86_400
DENIED = 'decision="deny"'
FIRST_STAGES, FURTHER_STAGES = 'procedure=~"17311|17313"', 'procedure=~"17312|17314"'

MIX = Row(
    "Outcomes, now against a week ago",
    [
        Table(
            "Outcome mix",
            About(
                "Share of each outcome among the results of the last hour, and in the same hour a week"
                " ago. It is of all workers, whichever are chosen above.",
                "within a few points of a week ago.",
                "find what moved: a blue line marks a new build, policies or codes; then denials and pends"
                " below.",
            ),
            "percentunit",
            [
                Column("Outcome", label="outcome"),
                Column("Now", expression="mms:outcome:share1h", decimals=1),
                Column("A week ago", expression="mms:outcome:share1h offset 1w", decimals=1),
                Column(
                    name="Change",
                    expression="mms:outcome:share1h - (mms:outcome:share1h offset 1w)",
                    decimals=1,
                    steps=((None, "orange"), (-0.1, "text"), (0.1, "orange")),
                ),
            ],
            sort="Now",
            alerts=["MmsOutcomeMixShift"],
        ),
        Timeseries(
            "Outcome mix over time",
            About(
                "Share of each outcome among the results of an hour.",
                "the same bands every day.",
                "a step at a blue line is what a new policy did; a step without one came with the claims.",
            ),
            "percentunit",
            [Query("mms:outcome:share1h", "{{outcome}}")],
            stacked=True,
            maximum=1,
            overrides=coloured(OUTCOMES),
            alerts=["MmsOutcomeMixShift"],
        ),
        Timeseries(
            "Change against a week ago",
            About(
                "By how much of all results each outcome's share differs from a week before.",
                "around 0.",
                "beyond a tenth for an hour: compare denials by reason with last week's.",
            ),
            "percentunit",
            [Query("mms:outcome:share1h - (mms:outcome:share1h offset 1w)", "{{outcome}}")],
            minimum=None,
            overrides=coloured(OUTCOMES),
            alerts=["MmsOutcomeMixShift"],
        ),
    ],
)

REASONS = Row(
    "Why not paid",
    [
        Bars(
            "Denied lines by reason",
            About(
                "Lines denied in the time range, by claim adjustment reason code (CARC).",
                "the order stays the same from week to week.",
                "a code that is new or leaps up: `mms-worker explain` on one such claim names rule and"
                " policy.",
            ),
            "short",
            f"topk(12, {in_range('mms_line_decisions_total', DENIED, by='carc')} > 0)",
            "{{carc}}",
            overrides=named(DENIALS),
            alerts=["MmsOutcomeMixShift"],
            height=10,
        ),
        Matrix(
            "Findings by rule",
            About(
                "Findings that determined results in the time range, by rule and verdict.",
                "every rule has some, in proportions that stay.",
                "`unknown` grows: records lack a fact. A rule without any: it is not applied any more.",
            ),
            "short",
            in_range("mms_findings_total", by="rule, verdict"),
            rows="rule",
            columns="verdict",
            height=10,
        ),
        Timeseries(
            "Line decisions",
            About(
                "Lines decided a second. A line outside of the review is not reviewed.",
                "most are paid or not reviewed.",
                "`deny` or `pend` grow: see the reasons beside, and the facts below.",
            ),
            "cps",
            [Query(per_second("mms_line_decisions_total", by="decision"), "{{decision}}")],
            stacked=True,
            overrides=coloured({**OUTCOMES, "not_reviewed": "gray"}),
            height=10,
        ),
    ],
)

WAITING = Row(
    "What waits for records, and what is decided again",
    [
        Bars(
            "Pended lines by missing fact",
            About(
                "Lines pended in the time range, by the fact that would settle them. A line may lack"
                " several.",
                "few, and no fact leaps up.",
                "a fact that is missing from nearly all: its sender stopped giving it, or its field changed.",
            ),
            "short",
            f"topk(12, {in_range('mms_facts_needed_total', by='fact')} > 0)",
            "{{fact}}",
        ),
        Stat(
            "Oldest pend",
            About(
                "Since the date of receipt of the oldest claim that still waits for records.",
                "below 45 days, the time that Medicare gives for records.",
                "above 60 days neither the records nor the event that ends the wait have come: ask the"
                " sender of `mms.documentation.expired.v1`.",
            ),
            "s",
            f"max({selected('mms_oldest_pend_seconds')})",
            steps=((None, "green"), (45 * DAY, "orange"), (60 * DAY, "red")),
            alerts=["MmsPendOverdue"],
            decimals=0,
            height=8,
        ),
        Timeseries(
            "Claims decided again by cause",
            About(
                "Results a second of claims that had one before, by the event that changed it.",
                "documentation and other claims of the same day are most.",
                "`void` or `replacement` in masses: a sender corrects its claims. `expiry`: records do not"
                " come.",
            ),
            "cps",
            [Query(per_second("mms_readjudications_total", by="cause"), "{{cause}}")],
            stacked=True,
            width=12,
        ),
    ],
)

STAGES = Row(
    "Mohs stages on submitted claims",
    [
        Bars(
            "Units by procedure",
            About(
                "Units submitted in the time range: 17311 and 17313 first stages (head, neck, hands, feet,"
                " genitalia; elsewhere), 17312 and 17314 further stages, 17315 blocks beyond five.",
                "first stages on the head and neck are most; 17315 is rare.",
                "17315 or further stages leap up: look at who bills them before anybody is denied for it.",
            ),
            "short",
            in_range("mms_mohs_units_billed_total", by="procedure"),
            "{{procedure}}",
        ),
        Timeseries(
            "Stage mix",
            About(
                "Share of each procedure among the units submitted.",
                "level bands.",
                "a band that grows for days: another mix of practices, or of billing.",
            ),
            "percentunit",
            [
                Query(
                    f"{per_second('mms_mohs_units_billed_total', by='procedure')}"
                    f" / on () group_left () {per_second('mms_mohs_units_billed_total')}",
                    "{{procedure}}",
                )
            ],
            stacked=True,
            maximum=1,
        ),
        Timeseries(
            "Stages a tumour",
            About(
                "Stages billed for each first stage, so for each tumour, over all practices.",
                "between 1.5 and 2.",
                "rising: tumours that need more, or stages that were not needed. The medical records tell.",
            ),
            "short",
            [
                Query(
                    f"1 + {per_second('mms_mohs_units_billed_total', FURTHER_STAGES)}"
                    f" / {per_second('mms_mohs_units_billed_total', FIRST_STAGES)}",
                    "stages",
                )
            ],
            minimum=None,
        ),
    ],
)


DASHBOARD = Dashboard(
    uid="mms-adjudication",
    title="MMS / Adjudication",
    description="What is decided and why, against a week ago, and what decisions are made with.",
    rows=[MIX, REASONS, WAITING, STAGES, BASIS],
    since="now-24h",
    refresh="1m",
)
