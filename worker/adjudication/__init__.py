"""The decision, from a claim to its result: pure values in, pure values out.

decode  ->  enrich  ->  necessity, structure, bundling, edits (a day at a time)  ->  result  ->  encode
"""

from worker.adjudication.decide import ENGINE, Reference, Ruled, adjudicate, rule
from worker.adjudication.decode import Rejected, decode
from worker.adjudication.result import Result, encode

__all__ = ["ENGINE", "Reference", "Rejected", "Result", "Ruled", "adjudicate", "decode", "encode", "rule"]
