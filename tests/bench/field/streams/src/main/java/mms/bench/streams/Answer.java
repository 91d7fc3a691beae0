package mms.bench.streams;

import org.apache.kafka.common.header.Headers;

/** A result as it is sent. */
record Answer(String resultId, byte[] value, Headers headers) {
}
