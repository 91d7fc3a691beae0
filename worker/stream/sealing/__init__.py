"""Envelope encryption of what topics keep of claims: members' histories and the values of dead letters.

Off by default, and then no cryptography is even imported. A record is sealed where it leaves the worker and
opened where it is read back; in between, in memory, all is plain. Keys, headers and reasons stay readable.
"""
