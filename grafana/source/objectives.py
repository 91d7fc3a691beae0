"""The row of the service level objectives: what is left of the budgets, how fast they go, who says so."""

from __future__ import annotations

from grafana.source.colours import BUDGET
from grafana.source.dashboard import Row
from grafana.source.kinds import Stat, Timeseries
from grafana.source.panel import RUNBOOKS, About
from grafana.source.queries import FIRING, Query
from grafana.source.tables import Column, Table

AVAILABILITY_BUDGET, LATENCY_BUDGET = 0.001, 0.01
"""Shares that may fail in 30 days: of partition-time, of results."""

AVAILABILITY_ALERTS = ["MmsAvailabilityBurnFast", "MmsAvailabilityBurnSlow", "MmsAvailabilityBurnTicket"]
LATENCY_ALERTS = ["MmsLatencyBurnFast", "MmsLatencyBurnSlow", "MmsLatencyBurnTicket"]

OBJECTIVES = Row(
    "Objectives of 30 days: 99.9 % of partition-time at work, 99 % of results within 5 s",
    [
        Stat(
            "Availability budget left",
            About(
                "What is left of the partition-time that may go unworked in 30 days (0.1 %). It is of all"
                " workers, whichever are chosen above.",
                "above 25 %. Below 0 the objective is missed.",
                "hold back roll-outs until it recovers, and find what spent it in *Burn rates*.",
            ),
            "percentunit",
            f"1 - mms:availability_error:ratio_rate30d / {AVAILABILITY_BUDGET}",
            steps=BUDGET,
            decimals=1,
            alerts=AVAILABILITY_ALERTS,
            height=7,
        ),
        Stat(
            "Latency budget left",
            About(
                "What is left of the results that may take longer than 5 s in 30 days (1 %), from the"
                " event's own time to the commit.",
                "above 25 %. Below 0 the objective is missed.",
                "see latency and lag in *Flow*. Events that reach Kafka late spend it too.",
            ),
            "percentunit",
            f"1 - mms:latency_error:ratio_rate30d / {LATENCY_BUDGET}",
            steps=BUDGET,
            decimals=1,
            alerts=LATENCY_ALERTS,
            height=7,
        ),
        Timeseries(
            "Burn rates",
            About(
                "How fast the budgets are being spent: at 1 a budget lasts 30 days, at 14.4 two days."
                " Dashed lines are where alerts begin: 1 and 3 make a ticket, 6 and 14.4 call someone.",
                "below 1.",
                "a line over 1 h that is high alone is recent; over 6 h as well, it has lasted.",
            ),
            "short",
            [
                Query(f"mms:availability_error:ratio_rate1h / {AVAILABILITY_BUDGET}", "availability, 1 h"),
                Query(f"mms:availability_error:ratio_rate6h / {AVAILABILITY_BUDGET}", "availability, 6 h"),
                Query(f"mms:latency_error:ratio_rate1h / {LATENCY_BUDGET}", "latency, 1 h"),
                Query(f"mms:latency_error:ratio_rate6h / {LATENCY_BUDGET}", "latency, 6 h"),
            ],
            steps=((None, "transparent"), (1, "yellow"), (6, "orange"), (14.4, "red")),
            legend=["lastNotNull", "max"],
            alerts=[*AVAILABILITY_ALERTS, *LATENCY_ALERTS],
            width=8,
            height=7,
        ),
        Table(
            "Firing alerts",
            About(
                "Alerts on the worker that are firing now.",
                "an empty table.",
                "click the name: the runbook says what to look at, what to do, and the command for it.",
            ),
            "short",
            [
                Column("Alert", label="alertname", link=f"{RUNBOOKS}#${{__value.raw}}"),
                Column("Severity", label="severity", width=100),
                Column(
                    name="Firing",
                    expression=f"count by (alertname, severity) ({FIRING})",
                    width=90,
                ),
            ],
            sort="Severity",
            descending=False,
            height=7,
        ),
    ],
)
