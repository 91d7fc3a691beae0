package mms.bench.streams.result;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/** What a rule found. */
public enum Verdict {
    MET, NOT_MET, UNKNOWN, VIOLATED, SATISFIED;

    private final String word = name().toLowerCase(Locale.ROOT);

    @JsonValue
    public String word() {
        return word;
    }
}
