"""Events decided once more, by the recorded bases and on request by another."""
