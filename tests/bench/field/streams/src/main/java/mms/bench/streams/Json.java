package mms.bench.streams;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import mms.bench.streams.event.Event;
import mms.bench.streams.result.Result;

/** Events and results as JSON. */
final class Json {
    private final ObjectReader events;
    private final ObjectWriter results;

    Json() {
        JsonMapper mapper = JsonMapper.builder()
                .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
                .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                .build();
        events = mapper.readerFor(Event.class);
        results = mapper.writerFor(Result.class);
    }

    Event event(byte[] json) {
        try {
            return events.readValue(json);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    byte[] bytes(Result result) {
        try {
            return results.writeValueAsBytes(result);
        } catch (JsonProcessingException error) {
            throw new UncheckedIOException(error);
        }
    }
}
