package mms.bench.streams.history;

import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.dataformat.cbor.databind.CBORMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import mms.bench.streams.event.Documentation;
import mms.bench.streams.event.EventData;
import mms.bench.streams.event.Lesion;
import mms.bench.streams.event.Line;
import mms.bench.streams.event.Provider;
import mms.bench.streams.event.Stage;

/** Histories and claims as bytes: CBOR without field names, told by their place as the worker's MessagePack is. */
public final class Packing {
    private static final List<Class<?>> SHAPES = List.of(
            History.class, Held.class, EventData.class, Provider.class, Line.class, Documentation.class,
            Lesion.class, Stage.class);

    private final ObjectWriter writer;
    private final ObjectReader histories;
    private final ObjectReader claims;

    public Packing() {
        CBORMapper mapper = new CBORMapper();
        for (Class<?> shape : SHAPES) {
            mapper.configOverride(shape).setFormat(JsonFormat.Value.forShape(JsonFormat.Shape.ARRAY));
        }
        writer = mapper.writer();
        histories = mapper.readerFor(History.class);
        claims = mapper.readerFor(EventData.class);
    }

    public byte[] pack(EventData data) {
        return bytes(data);
    }

    public byte[] pack(History history) {
        return bytes(history);
    }

    public History history(byte[] packed) {
        return read(histories, packed);
    }

    public EventData claim(byte[] packed) {
        return read(claims, packed);
    }

    private byte[] bytes(Object value) {
        try {
            return writer.writeValueAsBytes(value);
        } catch (JsonProcessingException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static <T> T read(ObjectReader reader, byte[] packed) {
        try {
            return reader.readValue(packed);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }
}
