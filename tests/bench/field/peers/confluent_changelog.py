"""``confluent_transactions`` with its histories in a changelog, written in the same transaction.

This is what the worker keeps, by hand: the last history of each member that a batch has records of goes
to their partition. It is the one peer whose state is as safe as its results; what the others in Python
guarantee exactly once ends with the process that has the histories. It does not restore them, which would be
more code and no slower.
"""

from __future__ import annotations

from tests.bench.field.peers.configuration import configuration
from tests.bench.field.peers.confluent_transactions import run

if __name__ == "__main__":
    given = configuration()
    run(given, given.changelog_topic)
