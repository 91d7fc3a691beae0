"""Can the past be told again: what replays found, beside what decides now."""

from __future__ import annotations

from grafana.source.colours import NONE_IS_GOOD, VERDICTS
from grafana.source.dashboard import Dashboard, Row, query_variable
from grafana.source.kinds import Stat, Timeseries
from grafana.source.panel import About, coloured, texts
from grafana.source.queries import Query
from grafana.source.shared import live
from grafana.source.tables import Column, Matrix, Table

TOPICS = 'topic=~"$topic"'


def of_replays(metric: str, *matchers: str) -> str:
    """The metric's series of replays of the chosen topics. A replay is a job, and has no instance."""
    return f"{metric}{{{', '.join((TOPICS, *matchers))}}}"


COMPLETED = of_replays("mms_replay_completed_timestamp_seconds")
REPRODUCED = of_replays("mms_replay_results", 'verdict="reproduced"')
DIFFERENT = of_replays("mms_replay_results", 'verdict!="reproduced"')
NONE_YET = "no replay yet"
EXIT_CODES = texts({"0": "reproduced", "1": "differs", "2": "no verdict"})

GLANCE = Row(
    "The last replay",
    [
        Stat(
            "Verdict",
            About(
                "The worst exit code of the last replay of each topic.",
                "reproduced: every published result came out again, byte for byte.",
                "see *Differences by verdict*: `policy` and `code_set` are as asked when another one was"
                " given; `engine`, `missing`, `extra` and `tampered` never are.",
            ),
            "short",
            f"max({of_replays('mms_replay_exit_code')})",
            mappings=EXIT_CODES,
            empty=NONE_YET,
            steps=NONE_IS_GOOD,
            filled=True,
            alerts=["MmsReplayWithoutVerdict"],
        ),
        Stat(
            "Share reproduced",
            About(
                "Results that came out again just as they were published, of all that the last replays"
                " compared.",
                "100 %.",
                "the report that the replay has written names each result that differs, and why.",
            ),
            "percentunit",
            f"sum({REPRODUCED}) / sum({of_replays('mms_replay_results')})",
            steps=((None, "red"), (1, "green")),
            empty=NONE_YET,
            filled=True,
        ),
        Stat(
            "Differences",
            About(
                "Results of the last replays that differ from what was published.",
                "0.",
                "see which verdicts below.",
            ),
            "short",
            f"sum({DIFFERENT})",
            empty=NONE_YET,
            steps=NONE_IS_GOOD,
            filled=True,
            alerts=["MmsReplayDiffers"],
        ),
        Stat(
            "Since the last replay",
            About(
                "Since a replay ended last.",
                "as often as the audit plan says; orange after a week, red after a month.",
                "start one with `mms-worker replay`, and push its figures with `--push`.",
            ),
            "s",
            f"time() - max({COMPLETED})",
            steps=((None, "green"), (7 * 86_400, "orange"), (31 * 86_400, "red")),
            decimals=1,
            empty=NONE_YET,
            alerts=["MmsReplayOverdue"],
        ),
        Stat(
            "Events replayed",
            About(
                "Events that the last replays have decided again.",
                "all of the time or offsets that were asked for.",
                "0: the bounds of the replay have no event between them.",
            ),
            "short",
            f"sum({of_replays('mms_replay_events')})",
            decimals=0,
            empty=NONE_YET,
        ),
        Stat(
            "Replays run",
            About(
                "Replays that ended in the time range.",
                "as the audit plan says.",
                "0: none ran, or none was told where to push its figures.",
            ),
            "short",
            f"sum(changes({COMPLETED}[$__range]))"
            f" + (count({COMPLETED} unless {COMPLETED} offset $__range) or vector(0))",
            decimals=0,
        ),
    ],
)

DETAILS = Row(
    "By topic",
    [
        Table(
            "Replays",
            About(
                "The last replay of each topic.",
                "exit code 0, and no differences.",
                "open the report that this replay has written: it works offline, and names each difference.",
            ),
            "short",
            [
                Column("Topic", label="topic"),
                Column(
                    name="Ended",
                    expression=f"1000 * max by (topic) ({COMPLETED})",
                    unit="dateTimeAsIso",
                    width=170,
                ),
                Column(
                    name="Result",
                    expression=f"max by (topic) ({of_replays('mms_replay_exit_code')})",
                    mappings=EXIT_CODES,
                    steps=NONE_IS_GOOD,
                    width=110,
                ),
                Column(
                    name="Events", expression=f"max by (topic) ({of_replays('mms_replay_events')})", width=110
                ),
                Column(
                    name="Took",
                    expression=f"max by (topic) ({of_replays('mms_replay_duration_seconds')})",
                    unit="s",
                    decimals=1,
                    width=100,
                ),
                Column("Reproduced", expression=f"sum by (topic) ({REPRODUCED})", width=110),
                Column(
                    name="Different",
                    expression=f"sum by (topic) ({DIFFERENT})",
                    steps=NONE_IS_GOOD,
                    width=110,
                ),
            ],
            sort="Ended",
            width=16,
        ),
        live(),
    ],
)

DIFFERENCES = Row(
    "Differences found",
    [
        Matrix(
            "Differences by verdict",
            About(
                "Results of the last replay of each topic, by what became of them.",
                "all in `reproduced`.",
                "`history`: the changelog was not whole. `engine`: another build decides otherwise, with"
                " the same policies and codes. `tampered`: the record is not what was published; keep the"
                " evidence.",
            ),
            "short",
            f"sum by (topic, verdict) ({of_replays('mms_replay_results')})",
            rows="topic",
            columns="verdict",
            width=12,
        ),
        Timeseries(
            "Differences over time",
            About(
                "Results that differed, as each replay has left the figure until the next one ended.",
                "0 throughout.",
                "the step shows the replay that found it; a blue line before it, the build that may have"
                " caused it.",
            ),
            "short",
            [Query(f"sum by (verdict) ({DIFFERENT})", "{{verdict}}")],
            stacked=True,
            overrides=coloured(VERDICTS),
            width=12,
        ),
        Timeseries(
            "Share reproduced over time",
            About(
                "Share of results that came out again, of the last replay of each topic.",
                "a straight line at 100 %.",
                "a dip that lasts until the next replay: read that replay's report.",
            ),
            "percentunit",
            [
                Query(
                    f"sum by (topic) ({REPRODUCED}) / sum by (topic) ({of_replays('mms_replay_results')})",
                    "{{topic}}",
                )
            ],
            maximum=1,
            width=12,
        ),
        Timeseries(
            "Speed of replays",
            About(
                "Events a second that the last replay of each topic has decided.",
                "level; a replay is some times as fast as the live worker.",
                "slower: fewer processes, longer histories, or slower brokers.",
            ),
            "cps",
            [
                Query(
                    f"{of_replays('mms_replay_events')} / {of_replays('mms_replay_duration_seconds')}",
                    "{{topic}}",
                )
            ],
            width=12,
        ),
    ],
)

DASHBOARD = Dashboard(
    uid="mms-audit",
    title="MMS / Audit",
    description="What replays of the recorded decisions found, beside what decides now.",
    rows=[GLANCE, DETAILS, DIFFERENCES],
    since="now-30d",
    refresh="5m",
    variables=[query_variable("topic", "Topic replayed", "label_values(mms_replay_exit_code, topic)")],
)
