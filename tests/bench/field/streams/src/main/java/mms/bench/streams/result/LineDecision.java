package mms.bench.streams.result;

import java.util.List;

/** Decision on a line: {@code unitsAllowed} is null on a pend and on a line that is not reviewed. */
public record LineDecision(
        int line, String decision, Integer unitsAllowed, List<Adjustment> adjustments, List<Finding> findings) {

    public static final String PAY = "pay";
    public static final String DENY = "deny";
    public static final String PEND = "pend";
    public static final String NOT_REVIEWED = "not_reviewed";
}
