package mms.bench.streams.event;

/** Who bills, or who did the work. */
public record Provider(String npi, String tin) {
}
