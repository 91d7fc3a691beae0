"""What Kafka must allow whom: one table, asking the brokers what of it is missing, and saying so.

The refusals, ``mms-worker topics acls`` and deploy/security/rights.md have it from the table.
"""
