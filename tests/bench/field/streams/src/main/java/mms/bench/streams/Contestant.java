package mms.bench.streams;

import java.time.Duration;
import java.util.Map;
import mms.bench.streams.history.Packing;
import mms.bench.streams.rules.Adjudicator;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.state.Stores;

/** Runs until SIGTERM, then ends with exit code 0; with 1 if it fails. */
public final class Contestant {
    private static final Duration CLOSING = Duration.ofSeconds(8);

    public static void main(String[] arguments) {
        Settings settings = Settings.of(System.getenv());
        KafkaStreams streams = new KafkaStreams(topology(settings), settings.properties());
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            boolean isClosed = streams.close(CLOSING);
            // Otherwise a JVM that gets SIGTERM ends with 143.
            Runtime.getRuntime().halt(isClosed ? 0 : 1);
        }));
        streams.start();
    }

    /**
     * A results topic of as many partitions as the input, and murmur2 of the key as its producers place it, put a
     * result on its cause's partition.
     */
    private static Topology topology(Settings settings) {
        Json json = new Json();
        Packing packing = new Packing();
        Adjudicator adjudicator = new Adjudicator();
        return new Topology()
                .addSource("events", new ByteArrayDeserializer(), new ByteArrayDeserializer(), settings.input())
                .addProcessor(
                        "adjudication", () -> new AdjudicationProcessor(json, packing, adjudicator), "events")
                .addStateStore(
                        Stores.keyValueStoreBuilder(
                                        Stores.inMemoryKeyValueStore(AdjudicationProcessor.HISTORIES),
                                        Serdes.Bytes(),
                                        Serdes.ByteArray())
                                .withLoggingEnabled(Map.of())
                                .withCachingDisabled(),
                        "adjudication")
                .addSink(
                        "results", settings.results(), new ByteArraySerializer(), new ByteArraySerializer(),
                        "adjudication");
    }

    private Contestant() {
    }
}
