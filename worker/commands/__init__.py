"""The commands of ``mms-worker``, one file each."""
