package mms.bench.streams.rules;

import java.util.ArrayList;
import java.util.List;
import mms.bench.streams.event.Line;
import mms.bench.streams.result.Decision;
import mms.bench.streams.result.LineDecision;
import mms.bench.streams.result.Needed;

/** Decides a claim by rules of about the weight of the worker's. It does not decide what the worker decides. */
public final class Adjudicator {
    private final Codes codes = new Codes();
    private final NecessityRules necessity = new NecessityRules(codes);
    private final StructureRules structure = new StructureRules();
    private final EditRules edits = new EditRules(codes);

    /** {@code others} are the lines of the member's other claims on the claim's days of service. */
    public Decision decide(ClaimOnFile file, List<Line> others) {
        List<Line> day = new ArrayList<>(file.claim().lines());
        day.addAll(others);
        boolean isInScope = day.stream().anyMatch(line -> codes.role(line.procedure()).isMohs());
        List<LineDecision> lines = new ArrayList<>();
        List<Needed> needed = new ArrayList<>();
        for (Line line : file.claim().lines()) {
            Role role = codes.role(line.procedure());
            lines.add(isInScope && role != Role.OTHER ? decide(line, role, file, day, needed) : notReviewed(line));
        }
        Decision decision = Decision.of(lines, needed);
        return decision.outcome().equals("pend") ? decision : new Decision(decision.outcome(), lines, List.of());
    }

    private LineDecision decide(Line line, Role role, ClaimOnFile file, List<Line> day, List<Needed> needed) {
        LineReview review = new LineReview(line, role);
        if (role.isMohs()) {
            Needed missing = necessity.review(review, file);
            if (missing != null) {
                needed.add(missing);
            }
            structure.review(review, day, file);
        }
        edits.review(review, day);
        return review.decision();
    }

    private static LineDecision notReviewed(Line line) {
        return new LineDecision(line.line(), LineDecision.NOT_REVIEWED, null, List.of(), List.of());
    }
}
