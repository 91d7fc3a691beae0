"""Panels that more than one dashboard has."""

from __future__ import annotations

from grafana.source.panel import About, Panel
from grafana.source.queries import selected
from grafana.source.tables import Column, Table


def live(width: int = 8, height: int = 8) -> Panel:
    """What decides at this moment."""
    return Table(
        "What decides",
        About(
            "The builds, policies and code sets that decide now, and how many workers do so with each. A"
            " digest is in every result, so that it can be found again.",
            "one row.",
            "two rows while nothing is rolled out: a worker was left behind. Start it again with the same"
            " image.",
        ),
        "short",
        [
            Column("Version", label="version", width=90),
            Column("Policies", label="policy_digest"),
            Column("Codes", label="codes_digest"),
            Column(
                name="Workers",
                expression=f"count by (version, policy_digest, codes_digest) ({selected('mms_build_info')})",
                width=90,
            ),
        ],
        sort="Workers",
        alerts=["MmsDigestSkew"],
        width=width,
        height=height,
    )
