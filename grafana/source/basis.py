"""The row of what claims are decided with: policies, code sets, builds, and how long they are good for."""

from __future__ import annotations

from grafana.source.colours import EXPIRY
from grafana.source.dashboard import Row
from grafana.source.kinds import Timeseries
from grafana.source.panel import About, from_value_on
from grafana.source.queries import Query, per_second, selected
from grafana.source.shared import live
from grafana.source.tables import Column, Table

OPEN_ENDED_S = 10 * 365 * 86_400
"""Time left from which on nobody waits for an end."""
FAR_FUTURE_S = 4_102_444_800
"""The year 2100, for an end that is infinitely far."""


def _expiring(name: str, label: str, metric: str) -> list[Column]:
    ends = f"min by ({label}) ({selected(metric)})"
    open_ended = from_value_on(OPEN_ENDED_S, "open-ended")
    return [
        Column(name, label=label),
        Column(
            name="Left",
            expression=f"{ends} - time()",
            unit="s",
            decimals=1,
            steps=EXPIRY,
            mappings=open_ended,
        ),
        Column(
            name="Until",
            expression=f"1000 * clamp_max({ends}, {FAR_FUTURE_S})",
            unit="dateTimeAsIso",
            mappings=from_value_on(1000 * FAR_FUTURE_S, "open-ended"),
        ),
    ]


BASIS = Row(
    "What it is decided with",
    [
        Table(
            "Policies about to expire",
            About(
                "When the newest version of each policy ends.",
                "open-ended, or more than a month left.",
                "a successor must be in the build before that day: claims of later dates of service have"
                " no policy.",
            ),
            "s",
            _expiring("Policy", "policy", "mms_policy_expiry_timestamp_seconds"),
            sort="Left",
            descending=False,
            alerts=["MmsPolicyExpiring"],
        ),
        Table(
            "Code sets about to expire",
            About(
                "When the publisher's next release takes over from the newest that is loaded: ICD-10-CM"
                " every October, the tables of NCCI every quarter.",
                "more than a month left, or than two weeks of a quarter's tables.",
                "import the publisher's next files and roll out: until then claims of later dates are"
                " decided with old codes.",
            ),
            "s",
            _expiring("Code set", "name", "mms_code_set_expiry_timestamp_seconds"),
            sort="Left",
            descending=False,
            alerts=["MmsCodeSetExpiring"],
        ),
        Table(
            "Code sets loaded",
            About(
                "Each release of each code set, and how many workers have it.",
                "every release at every worker.",
                "a release at some workers only: two builds are live.",
            ),
            "short",
            [
                Column("Code set", label="name"),
                Column("Release", label="release"),
                Column("Workers", expression=f"count by (name, release) ({selected('mms_code_set_info')})"),
            ],
            sort="Code set",
            descending=False,
            alerts=["MmsDigestSkew"],
        ),
        Timeseries(
            "Results by policy version",
            About(
                "Results a second that a version of a policy took part in. A claim's date of service"
                " chooses it.",
                "a new version fades in over the weeks after its date.",
                "an old version that returns: old claims are sent again.",
            ),
            "cps",
            [Query(per_second("mms_policy_applied_total", by="policy, version"), "{{policy}} {{version}}")],
            width=16,
        ),
        live(),
    ],
)
