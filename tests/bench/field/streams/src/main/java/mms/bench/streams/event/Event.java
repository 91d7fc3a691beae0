package mms.bench.streams.event;

/** A structured-mode CloudEvent, as far as the contestant reads it. */
public record Event(String source, String id, String type, String time, EventData data) {
    public static final String SUBMITTED = "mms.claim.submitted.v1";
    public static final String VOIDED = "mms.claim.voided.v1";
    public static final String DOCUMENTED = "mms.documentation.received.v1";
    public static final String EXPIRED = "mms.documentation.expired.v1";
}
