package mms.bench.streams;

import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.streams.StreamsConfig;

/** What the environment says, and how Kafka Streams is tuned. */
record Settings(
        String bootstrap, String input, String results, String group, String state, int commitMs, int threads) {

    /** Raises IllegalArgumentException if a variable is missing. */
    static Settings of(Map<String, String> environment) {
        return new Settings(
                required(environment, "BENCH_BOOTSTRAP"),
                required(environment, "BENCH_INPUT"),
                required(environment, "BENCH_RESULTS"),
                required(environment, "BENCH_GROUP"),
                required(environment, "BENCH_STATE"),
                Integer.parseInt(environment.getOrDefault("BENCH_COMMIT_MS", "100")),
                // One for each core that the process may use: with more they only take turns.
                Runtime.getRuntime().availableProcessors());
    }

    Properties properties() {
        Properties properties = new Properties();
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, group);
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        properties.put(StreamsConfig.STATE_DIR_CONFIG, state);
        properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, commitMs);
        properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, threads);
        properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.ACKS_CONFIG), "all");
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        // Results have some 1,500 bytes each: the default of 16 KiB makes many small requests of them.
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 * 1024);
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 128 * 1024 * 1024);
        return properties;
    }

    private static String required(Map<String, String> environment, String name) {
        String value = environment.get(name);
        if (value == null) {
            throw new IllegalArgumentException(name + " is not set");
        }
        return value;
    }
}
