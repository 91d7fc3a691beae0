"""Rows of the flow dashboard that look into the workers: stages, partitions that move, histories."""

from __future__ import annotations

from grafana.source.dashboard import Row
from grafana.source.kinds import Timeseries
from grafana.source.panel import About, coloured
from grafana.source.queries import Query, mean, per_second, quantile, quantiles, selected

STAGES = Row(
    "Where the time goes",
    [
        Timeseries(
            "Stages",
            About(
                "Mean time of a batch in each stage: deciding, sending until all is acknowledged,"
                " committing.",
                "deciding is most of it under load; sending and committing take some 10 ms.",
                "deciding grows with long histories. Sending or committing grow: look at the brokers.",
            ),
            "s",
            [Query(mean("mms_batch_duration_seconds", by="stage"), "{{stage}}")],
            stacked=True,
            width=6,
        ),
        Timeseries(
            "Slowest batches by stage",
            About(
                "The time in each stage below which 95 of a hundred batches stay.",
                "near the mean beside it.",
                "one stage far above its mean: single batches or single brokers are slow.",
            ),
            "s",
            [Query(quantile(0.95, "mms_batch_duration_seconds", by="stage"), "{{stage}}", exemplars=True)],
            width=6,
        ),
        Timeseries(
            "From first byte to commit",
            About(
                "How long a transaction's sending and committing take together.",
                "p99 below 0.5 s.",
                "slow brokers, a slow network, or acknowledgements that wait for a replica.",
            ),
            "s",
            [*quantiles("mms_commit_duration_seconds")],
            width=6,
        ),
        Timeseries(
            "Time to decide a record",
            About(
                "Processor time for one record: half, 95 and 99 of a hundred take less. It is a batch's"
                " mean, weighted by its records.",
                "well below a millisecond.",
                "more: members with very long histories, or a policy that reads much.",
            ),
            "s",
            [*quantiles("mms_decision_duration_seconds")],
            width=6,
        ),
        Timeseries(
            "Batch size",
            About(
                "Records in a batch: half, and 95 of a hundred batches have fewer.",
                "small when little comes in, large when it catches up.",
                "always large: the worker is at its limit. Small with lag: batches are cut for time, so"
                " deciding is slow.",
            ),
            "short",
            [
                Query(quantile(0.5, "mms_batch_records"), "p50"),
                Query(quantile(0.95, "mms_batch_records"), "p95"),
                Query(mean("mms_batch_records"), "mean"),
            ],
            width=12,
        ),
        Timeseries(
            "Transactions by result",
            About(
                "Transactions a second, committed or failed. A failed one left nothing behind; its records"
                " are decided again.",
                "committed alone.",
                "failed ones with lane restarts: see the reasons there, and the brokers' log.",
            ),
            "cps",
            [Query(per_second("mms_transactions_total", by="result"), "{{result}}")],
            overrides=coloured({"committed": "green", "failed": "red"}),
            width=12,
        ),
    ],
)

CHANGES = Row(
    "Partitions that move",
    [
        Timeseries(
            "Partitions held and open",
            About(
                "Partitions that each worker holds, and those of them whose lanes are open.",
                "level lines, and both the same.",
                "held without open: restoring, or a lane that begins again and again.",
            ),
            "short",
            [
                Query(selected("mms_assigned_partitions"), "held by {{instance}}"),
                Query(selected("mms_working_partitions"), "open at {{instance}}"),
            ],
            width=6,
        ),
        Timeseries(
            "Rebalances",
            About(
                "Assignments that the workers received, in each interval of the graph.",
                "none between roll-outs.",
                "again and again: workers that are too slow to answer the group, or that crash. See their"
                " memory.",
            ),
            "short",
            [
                Query(
                    f"sum by (instance) (increase({selected('mms_rebalances_total')}[$__rate_interval]))",
                    "{{instance}}",
                )
            ],
            alerts=["MmsRebalanceStorm"],
            width=6,
        ),
        Timeseries(
            "Lane restarts by reason",
            About(
                "Lanes that threw their producer away and began again, in each interval of the graph.",
                "none. `fenced` after a rebalance is as it should be.",
                "`timeout`: brokers that do not answer. `error`: read the log of that moment.",
            ),
            "short",
            [
                Query(
                    f"sum by (reason) (increase({selected('mms_lane_restarts_total')}[$__rate_interval]))",
                    "{{reason}}",
                )
            ],
            alerts=["MmsLaneRestarts"],
            width=6,
        ),
        Timeseries(
            "Time to restore a partition",
            About(
                "How long reading a partition's histories took, mean and slowest; the wait of its claims"
                " after a rebalance.",
                "seconds.",
                "growing with the histories: more partitions make each of them smaller.",
            ),
            "s",
            [
                Query(mean("mms_restore_duration_seconds"), "mean"),
                Query(quantile(1, "mms_restore_duration_seconds"), "slowest, up to"),
            ],
            width=6,
        ),
    ],
)

HISTORIES = Row(
    "Histories in memory",
    [
        Timeseries(
            "Members by partition",
            About(
                "Members whose history is in memory.",
                "about the same in every partition.",
                "one far above the others: keys are not spread evenly.",
            ),
            "short",
            [Query(f"max by (partition) ({selected('mms_history_members')})", "{{partition}}")],
        ),
        Timeseries(
            "Size by partition",
            About(
                "Bytes of stored histories in memory. The worker needs about 1.3 times as much on top of its"
                " start.",
                "slow growth, and about the same in every partition.",
                "plan more partitions and workers before memory ends: the capacity plan has the figures.",
            ),
            "bytes",
            [Query(f"max by (partition) ({selected('mms_history_bytes')})", "{{partition}}")],
        ),
        Timeseries(
            "Claims out of the look-back",
            About(
                "Claims a second that fell out of the look-back and were forgotten.",
                "once a deployment is as old as its look-back, as many as come in.",
                "a sudden peak: a look-back was shortened, or claims have dates far ahead.",
            ),
            "cps",
            [Query(per_second("mms_history_evictions_total"), "claims")],
        ),
    ],
)
