"""The decision, from an event to its results: pure values in, pure values out.

decode  ->  fold into the member's history  ->  enrich  ->  necessity, structure, bundling, edits (a day at a
time, over all claims of the member that meet on it)  ->  result  ->  encode
"""

from worker.adjudication.decide import Adjudicated, adjudicate, adjudicate_alone, standing
from worker.adjudication.decode import Rejected, decode
from worker.adjudication.encode import encode
from worker.adjudication.history import Change, Limits
from worker.adjudication.reference import ENGINE, Reference
from worker.adjudication.result import Result

__all__ = [
    "ENGINE", "Adjudicated", "Change", "Limits", "Reference", "Rejected", "Result", "adjudicate",
    "adjudicate_alone", "decode", "encode", "standing",
]  # fmt: skip
