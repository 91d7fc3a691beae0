"""How records move through the workers: what goes in and out, how long it takes, where it waits."""

from __future__ import annotations

from grafana.source.colours import LATENESS
from grafana.source.dashboard import Dashboard, Row
from grafana.source.kinds import Heatmap, Stat, Timeseries
from grafana.source.objectives import LATENCY_ALERTS
from grafana.source.panel import About, coloured
from grafana.source.queries import Query, in_range, per_second, quantiles, selected
from grafana.source.workings import CHANGES, HISTORIES, STAGES

LATENCY = "mms_end_to_end_latency_seconds"

BALANCE = Row(
    "In and out",
    [
        Timeseries(
            "In and out",
            About(
                "Records committed a second, and what came out of them: results, of these the ones of"
                " claims that were decided again, and dead letters.",
                "results run with records. They are fewer by records that change nothing (documentation of"
                " a settled claim, duplicates) and more by claims decided again.",
                "results far above records: events that make whole histories be decided anew. Far below:"
                " see dead letters, and events by type.",
            ),
            "cps",
            [
                Query(per_second("mms_records_consumed_total"), "records in"),
                Query(per_second("mms_decisions_total"), "results out"),
                Query(per_second("mms_readjudications_total"), "of these decided again"),
                Query(per_second("mms_dead_letters_total"), "dead letters out"),
            ],
            overrides=coloured({"dead letters out": "red", "of these decided again": "purple"}),
            legend=["lastNotNull", "mean", "max"],
            width=10,
        ),
        Timeseries(
            "Events by type",
            About(
                "Events decoded a second.",
                "submitted claims are most of them; documentation follows pends by days.",
                "a type that stops: ask its sender. A type that multiplies: somebody sends a topic again.",
            ),
            "cps",
            [Query(per_second("mms_events_total", by="type"), "{{type}}")],
            stacked=True,
        ),
        Stat(
            "Records",
            About(
                "Records committed in the time range.",
                "as many as were sent: compare with the senders' count.",
                "fewer with lag: they wait. Fewer without lag: they were not sent to this topic.",
            ),
            "short",
            in_range("mms_records_consumed_total"),
            decimals=0,
            width=3,
            height=8,
        ),
        Stat(
            "Results a record",
            About(
                "How many results a record has on average, in the time range.",
                "about 1.",
                "above 2: claims are decided again and again. Near 0: dead letters, or events without"
                " effect.",
            ),
            "short",
            f"{in_range('mms_decisions_total')} / {in_range('mms_records_consumed_total')}",
            decimals=2,
            width=3,
            height=8,
        ),
    ],
)

LATENCIES = Row(
    "How long a claim waits for its answer",
    [
        Timeseries(
            "Latency",
            About(
                "From the event's own time to its committed result: half, 95 and 99 of a hundred are"
                " faster. Points are single claims; one opens its trace where traces are kept.",
                "p99 below the dashed line (5 s).",
                "with lag, records wait in Kafka; without it, senders are late or batches are slow: see"
                " *Stages*.",
            ),
            "s",
            [*quantiles(LATENCY)],
            steps=((None, "transparent"), (5, "red")),
            logarithmic=True,
            legend=["lastNotNull", "max"],
            alerts=LATENCY_ALERTS,
            width=10,
            height=9,
        ),
        Heatmap(
            "Latency of all results",
            About(
                "Every result by how long it took; the darker, the more. Points are single claims.",
                "one dark band well below 5 s.",
                "two bands: some partitions are slower than others. A band that climbs: lag. A cloud on"
                " top: old events are sent again.",
            ),
            "s",
            Query(per_second(f"{LATENCY}_bucket", by="le"), "{{le}}", exemplars=True, form="heatmap"),
            width=10,
            height=9,
        ),
        Stat(
            "Slower than 5 s",
            About(
                "Share of the results of the last five minutes that took longer than 5 s.",
                "below 1 %, which is the objective.",
                "above it the budget of *Overview* is being spent.",
            ),
            "percentunit",
            "mms:latency_error:ratio_rate5m",
            steps=((None, "green"), (0.01, "orange"), (0.1, "red")),
            decimals=2,
            alerts=LATENCY_ALERTS,
            height=9,
        ),
    ],
)

LAG = Row(
    "What waits, by partition",
    [
        Timeseries(
            "Lag in seconds",
            About(
                "Age of the oldest record of each partition that is not committed yet. A gap is time without"
                " a worker; `mms-worker status` asks the brokers.",
                "near 0, and the partitions together.",
                "one partition alone: its lane stands, or one member has very much. All: too few workers.",
            ),
            "s",
            [
                Query(
                    f"max by (topic, partition) ({selected('mms_consumer_lag_seconds')})",
                    "{{topic}}-{{partition}}",
                )
            ],
            steps=tuple((value, "transparent" if value is None else colour) for value, colour in LATENESS),
            empty="no worker",
            alerts=["MmsConsumerStalled", "MmsLagGrowing"],
            width=12,
        ),
        Timeseries(
            "Lag in records",
            About(
                "Stable records of each partition that are not committed yet. A gap is time without a"
                " worker.",
                "near 0, and the partitions together.",
                "many records and few seconds: a peak. Few records and many seconds: a record that cannot"
                " be got past.",
            ),
            "short",
            [
                Query(
                    f"max by (topic, partition) ({selected('mms_consumer_lag_records')})",
                    "{{topic}}-{{partition}}",
                )
            ],
            empty="no worker",
            alerts=["MmsLagGrowing"],
            width=12,
        ),
        Timeseries(
            "Held up by open transactions",
            About(
                "Records of each partition behind the beginning of a producer's open transaction. They are"
                " no lag: nobody may read them yet.",
                "0, or a comb where producers use transactions.",
                "a level line: a transaction hangs, and the partition waits for ever. End it as the runbook"
                " says.",
            ),
            "short",
            [
                Query(
                    f"max by (topic, partition) ({selected('mms_unstable_records')})",
                    "{{topic}}-{{partition}}",
                )
            ],
            empty="no worker",
            alerts=["MmsTransactionHangs"],
            width=12,
        ),
        Timeseries(
            "Becomes readable",
            About(
                "How fast the last stable offset of each partition moves: what producers have written and,"
                " with transactions, committed.",
                "about what comes in, and the partitions together.",
                "0 while others move, and records held up beside: a transaction hangs.",
            ),
            "cps",
            [
                Query(
                    f"max by (topic, partition) (deriv({selected('mms_stable_offset')}[$__rate_interval]))",
                    "{{topic}}-{{partition}}",
                )
            ],
            empty="no worker",
            alerts=["MmsTransactionHangs"],
            width=12,
        ),
    ],
)

DASHBOARD = Dashboard(
    uid="mms-flow",
    title="MMS / Flow",
    description="What goes in and out, how long it takes, where it waits.",
    rows=[BALANCE, LATENCIES, STAGES, LAG, CHANGES, HISTORIES],
    since="now-1h",
)
