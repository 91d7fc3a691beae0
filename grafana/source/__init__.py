"""The source of the dashboards in ``grafana/dashboards``: ``python -m grafana.source`` writes them."""
