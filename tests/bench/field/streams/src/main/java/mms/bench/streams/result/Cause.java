package mms.bench.streams.result;

/** The event that a result answers. */
public record Cause(String source, String id, String type) {
}
