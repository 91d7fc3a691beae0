package mms.bench.streams.result;

import java.util.List;

/** What was decided on a claim. */
public record Decision(String outcome, List<LineDecision> lines, List<Needed> documentationNeeded) {
    public static final Decision VOID = new Decision("void", List.of(), List.of());

    /** The decision on a claim by those on its lines. */
    public static Decision of(List<LineDecision> lines, List<Needed> needed) {
        int reviewed = 0;
        int paid = 0;
        int denied = 0;
        boolean isPended = false;
        for (LineDecision line : lines) {
            switch (line.decision()) {
                case LineDecision.PAY -> paid++;
                case LineDecision.DENY -> denied++;
                case LineDecision.PEND -> isPended = true;
                default -> {
                    continue;
                }
            }
            reviewed++;
        }
        String outcome;
        if (reviewed == 0) {
            outcome = "out_of_scope";
        } else if (isPended) {
            outcome = "pend";
        } else if (paid == reviewed) {
            outcome = "pay";
        } else {
            outcome = denied == reviewed ? "deny" : "partial";
        }
        return new Decision(outcome, lines, needed);
    }
}
