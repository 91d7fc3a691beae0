package mms.bench.streams.result;

import java.util.List;

/** Facts that a pended line waits for. */
public record Needed(int line, String lesion, List<String> facts) {
}
