package mms.bench.streams.result;

import java.util.Map;

/** What one rule found about a line, with the place to read it and the facts it looked at. */
public record Finding(
        String rule,
        Verdict verdict,
        String policy,
        String version,
        String citation,
        Map<String, Object> evidence,
        String reason) {
}
