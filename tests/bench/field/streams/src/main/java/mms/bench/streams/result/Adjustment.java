package mms.bench.streams.result;

import java.util.List;

/** Reason codes of a denial or a pend. */
public record Adjustment(String group, String carc, List<String> rarc) {
}
