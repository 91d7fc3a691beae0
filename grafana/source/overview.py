"""The first dashboard to look at: is it healthy, is it keeping up, is it right."""

from __future__ import annotations

from grafana.source.colours import ALL_IS_GOOD, EXACTLY_ONE, LATENESS, NONE_IS_GOOD, OUTCOMES
from grafana.source.dashboard import Dashboard, Row
from grafana.source.kinds import Stat, Timeseries
from grafana.source.objectives import OBJECTIVES
from grafana.source.panel import About, coloured, series, texts
from grafana.source.queries import FIRING, Query, of_workers, selected
from grafana.source.shared import live
from grafana.source.tables import Column, Table

YES_NO = texts({"0": "no", "1": "yes"})

GLANCE = Row(
    "At a glance",
    [
        Stat(
            "Alerts firing",
            About(
                "How many alerts on the worker are firing, of every severity; one that fires for several"
                " partitions or workers counts once.",
                "0.",
                "read which in *Firing alerts* below; each names its entry in the runbook.",
            ),
            "short",
            f"count(count by (alertname) ({FIRING})) or vector(0)",
            steps=NONE_IS_GOOD,
            filled=True,
        ),
        Stat(
            "Workers ready",
            About(
                "The share of the workers that Prometheus knows which answer 200 on `/readyz`. One that"
                " does not answer at all counts as not ready.",
                "100 %; less for a minute while a worker starts or stops.",
                "see which in *Workers*, then its log: policies and code sets load before the first lane"
                " opens.",
            ),
            "percentunit",
            f"(sum({selected('mms_ready')}) or vector(0)) / count({of_workers('up')})",
            steps=ALL_IS_GOOD,
            filled=True,
            empty="no worker",
            alerts=["MmsWorkerAbsent"],
        ),
        Stat(
            "Partitions worked",
            About(
                "The share of the input topic's partitions that some worker has restored and is deciding."
                " This is what the availability objective counts.",
                "100 %; less for seconds in a rebalance.",
                "claims of the other partitions wait. Start workers if there are too few, else look at"
                " restores and lane restarts in *Flow*.",
            ),
            "percentunit",
            "mms:partitions_working:ratio",
            steps=ALL_IS_GOOD,
            filled=True,
            empty="no worker yet",
            alerts=["MmsAvailabilityBurnFast"],
        ),
        Stat(
            "Oldest waiting record",
            About(
                "Age of the oldest record that is not committed yet, of all partitions. The workers tell it:"
                " without one nobody knows here, and `mms-worker status` asks the brokers.",
                "below 5 s, which is what the latency objective allows.",
                "see *Lag* in *Flow*: one partition that stands still, or all of them behind.",
            ),
            "s",
            "mms:lag_seconds:max",
            steps=LATENESS,
            filled=True,
            empty="no worker",
            alerts=["MmsConsumerStalled", "MmsLagGrowing"],
        ),
        Stat(
            "Dead letters",
            About(
                "Records of the last hour that were set aside as dead letters.",
                "0. Nothing is lost by one, but its claim has no answer.",
                "see the reasons below; list and redrive them with `mms-worker dlq`.",
            ),
            "short",
            "ceil(sum(mms:dead_letters:increase1h))",
            steps=NONE_IS_GOOD,
            filled=True,
            empty="no worker",
            alerts=["MmsDeadLetters"],
        ),
        Stat(
            "Digests live",
            About(
                "How many different pairs of policies and code sets decide at this moment.",
                "exactly 1; 2 only while a new build is rolled out.",
                "the same claim can be answered in two ways. See who decides with what in *What decides*.",
            ),
            "short",
            f"count(count by (policy_digest, codes_digest) ({selected('mms_build_info')}))",
            steps=EXACTLY_ONE,
            filled=True,
            empty="no worker",
            alerts=["MmsDigestSkew"],
        ),
    ],
)

PACE = Row(
    "Is it keeping up",
    [
        Timeseries(
            "Decisions by outcome",
            About(
                "Results published a second.",
                "it follows the clinic day, and no colour takes over.",
                "none at all with lag: the worker stands. None without lag: nothing comes in. A colour"
                " that grows: see *Adjudication*.",
            ),
            "cps",
            [Query("mms:decisions:rate5m", "{{outcome}}")],
            stacked=True,
            overrides=coloured(OUTCOMES),
        ),
        Timeseries(
            "Lag",
            About(
                "Age of the oldest record that is not committed yet, of the partition that is furthest"
                " behind. A gap is time without a worker.",
                "below the dashed lines (5 s and 60 s), and back after each peak.",
                "growing steadily: more comes in than the workers decide, so add workers. A saw tooth:"
                " rebalances. A straight line upwards: a partition that stands still.",
            ),
            "s",
            [Query("mms:lag_seconds:max", "oldest record")],
            steps=((None, "transparent"), (5, "orange"), (60, "red")),
            empty="no worker",
            alerts=["MmsLagGrowing", "MmsConsumerStalled"],
        ),
        Timeseries(
            "Since the last commit",
            About(
                "How long ago each worker last committed a batch. One without a commit has no line.",
                "seconds while claims come in. It grows in a quiet hour, and there is no lag then.",
                "growing with lag: the worker is stuck. See stages and lane restarts in *Flow*.",
            ),
            "s",
            [Query(f"time() - ({selected('mms_last_commit_timestamp_seconds')} > 0)", "{{instance}}")],
            alerts=["MmsConsumerStalled"],
        ),
    ],
)

RIGHT = Row(
    "Is it right",
    [
        Timeseries(
            "Dead letters by reason",
            About(
                "Records set aside a second, by why.",
                "none.",
                "`contract` or `undecodable`: tell the sender. `unknown_claim`: it may have come too"
                " early, redrive it. `internal_error`: a fault in the worker, report it with the stack in"
                " the log.",
            ),
            "cps",
            [Query("mms:dead_letters:rate5m", "{{reason}}")],
            stacked=True,
            alerts=["MmsDeadLetters"],
        ),
        Timeseries(
            "Dead letters against the limit",
            About(
                "Share of dead letters among the records of the breaker's window, of the worker that has"
                " most, and the share above which a worker stops itself so as not to set aside a whole"
                " topic.",
                "far below the limit.",
                "at the limit the worker ends with code 3 and waits for a person: what comes in is not"
                " what it takes, or the worker is at fault. The reasons tell which.",
            ),
            "percentunit",
            [
                Query(f"max({selected('mms_dead_letter_share')})", "share"),
                Query(f"min({selected('mms_dead_letter_limit')})", "limit"),
                Query(f"sum({selected('mms_breaker_open')})", "workers stopped"),
            ],
            overrides=[
                *coloured({"limit": "red"}),
                series("workers stopped", {"unit": "short", "custom.axisPlacement": "hidden"}),
            ],
            alerts=["MmsDeadLetterLimitReached", "MmsDeadLetterLimitNear"],
        ),
        live(),
    ],
)

WORKERS = Row(
    "Workers",
    [
        Table(
            "Workers",
            About(
                "Each worker that Prometheus scrapes: does it answer, is it ready, what does it hold.",
                "all are up and ready, and hold about as many partitions each; held and open are the same.",
                "not up: look at the process. Fewer open than held: lanes are being restored or begin again.",
            ),
            "short",
            [
                Column("Worker", label="instance"),
                Column(
                    "Up",
                    expression=f"sum by (instance) ({of_workers('up')})",
                    steps=ALL_IS_GOOD,
                    mappings=YES_NO,
                ),
                Column(
                    "Ready",
                    expression=f"sum by (instance) ({selected('mms_ready')})",
                    steps=ALL_IS_GOOD,
                    mappings=YES_NO,
                ),
                Column("Held", expression=f"sum by (instance) ({selected('mms_assigned_partitions')})"),
                Column("Open", expression=f"sum by (instance) ({selected('mms_working_partitions')})"),
            ],
            sort="Worker",
            descending=False,
            alerts=["MmsWorkerAbsent", "MmsWorkerRestarts"],
        ),
        Timeseries(
            "Memory",
            About(
                "Resident memory of each worker. Most of it is histories, so it grows with members and"
                " partitions.",
                "a step at each rebalance, and slow growth between.",
                "growing without end: see *Histories* in *Flow*, and spread the partitions over more"
                " workers.",
            ),
            "bytes",
            [Query(of_workers("process_resident_memory_bytes"), "{{instance}}")],
        ),
        Timeseries(
            "Processor",
            About(
                "Cores that each worker uses. A worker decides on one core.",
                "below 0.7, so that there is room to catch up.",
                "near 1 with lag: add workers, up to one a partition.",
            ),
            "short",
            [
                Query(
                    f"rate({of_workers('process_cpu_seconds_total')}[$__rate_interval])",
                    "{{instance}}",
                )
            ],
            steps=((None, "transparent"), (0.9, "orange")),
        ),
    ],
)

DASHBOARD = Dashboard(
    uid="mms-overview",
    title="MMS / Overview",
    description="Is the worker healthy, is it keeping up, is it right.",
    rows=[GLANCE, OBJECTIVES, PACE, RIGHT, WORKERS],
)
