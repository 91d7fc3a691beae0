package mms.bench.streams.result;

import java.util.Map;

/** What a decision was made by; both digests are {@code sha256:} and 64 hex digits. */
public record Basis(
        String engine,
        Map<String, String> policies,
        Map<String, String> codeSets,
        String digest,
        String historyDigest) {
}
