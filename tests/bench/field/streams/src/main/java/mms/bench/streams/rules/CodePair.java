package mms.bench.streams.rules;

/** Two procedures that an edit joins: the second is part of the first. */
record CodePair(String column1, String column2) {
}
