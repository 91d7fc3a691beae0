package mms.bench.streams.rules;

import java.util.LinkedHashMap;
import java.util.Map;

/** The facts of a finding, in the order in which they are written: that of {@code Map.of} differs by process. */
final class Evidence {
    static Map<String, Object> of(String first, Object value, String second, Object other) {
        Map<String, Object> evidence = new LinkedHashMap<>();
        evidence.put(first, value);
        evidence.put(second, other);
        return evidence;
    }

    private Evidence() {
    }
}
