"""``python -m worker`` is ``mms-worker``."""

from worker.cli import main

main()
