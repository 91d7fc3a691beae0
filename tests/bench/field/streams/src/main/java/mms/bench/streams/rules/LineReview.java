package mms.bench.streams.rules;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import mms.bench.streams.event.Line;
import mms.bench.streams.result.Adjustment;
import mms.bench.streams.result.Finding;
import mms.bench.streams.result.LineDecision;
import mms.bench.streams.result.Verdict;

/** What the rules have found of a line so far. A denial outweighs a pend, and a pend what would be paid. */
final class LineReview {
    private static final List<Adjustment> PENDED = List.of(new Adjustment("OA", "133", List.of()));
    private static final Finding NO_EDIT = new Finding(
            "ncci.no-edit", Verdict.SATISFIED, "ncci", "1",
            "Procedure-to-procedure and medically unlikely edits, practitioner services", Map.of(),
            "Nothing stands against the line.");

    private final Line line;
    private final Role role;
    private final List<Finding> denying = new ArrayList<>();
    private final List<Adjustment> denials = new ArrayList<>();
    private final List<Finding> pending = new ArrayList<>();
    private final List<Finding> paying = new ArrayList<>();
    private int unitsAllowed;

    LineReview(Line line, Role role) {
        this.line = line;
        this.role = role;
        unitsAllowed = line.units();
    }

    Line line() {
        return line;
    }

    Role role() {
        return role;
    }

    void deny(Finding finding, Adjustment adjustment) {
        denying.add(finding);
        denials.add(adjustment);
    }

    void pend(Finding finding) {
        pending.add(finding);
    }

    void pay(Finding finding) {
        paying.add(finding);
    }

    void limit(int units, Finding finding) {
        unitsAllowed = Math.min(unitsAllowed, units);
        paying.add(finding);
    }

    LineDecision decision() {
        if (!denying.isEmpty()) {
            return new LineDecision(line.line(), LineDecision.DENY, 0, denials, denying);
        }
        if (!pending.isEmpty()) {
            return new LineDecision(line.line(), LineDecision.PEND, null, PENDED, pending);
        }
        if (paying.isEmpty()) {
            paying.add(NO_EDIT);
        }
        return new LineDecision(line.line(), LineDecision.PAY, unitsAllowed, List.of(), paying);
    }
}
