package mms.bench.streams.event;

/** One stage of the excision and the number of tissue blocks it was cut into. */
public record Stage(Integer blocks) {
}
