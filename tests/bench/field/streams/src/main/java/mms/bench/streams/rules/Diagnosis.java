package mms.bench.streams.rules;

/** A known diagnosis code. {@code site} is where it says that the lesion is, null if it does not say. */
record Diagnosis(boolean billable, boolean listed, String site) {
}
