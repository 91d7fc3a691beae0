package mms.bench.streams.rules;

import java.util.List;
import java.util.Map;
import mms.bench.streams.event.Line;
import mms.bench.streams.result.Adjustment;
import mms.bench.streams.result.Finding;
import mms.bench.streams.result.Verdict;

/** Units that are too many, services that are part of another of the day, and repairs, which are paid. */
final class EditRules {
    private static final List<String> SEPARATE = List.of("59", "XS", "XU");
    private static final Adjustment PART_OF_OTHER = new Adjustment("CO", "97", List.of("M15"));

    private final Codes codes;

    EditRules(Codes codes) {
        this.codes = codes;
    }

    /** {@code day} are the lines of the member's claims on the claim's days of service, the line among them. */
    void review(LineReview review, List<Line> day) {
        Line line = review.line();
        int limit = codes.unitLimit(line.procedure());
        if (line.units() > limit) {
            Map<String, Object> evidence = Evidence.of("units", line.units(), "limit", limit);
            String reason = "More units were billed than one day can have.";
            review.limit(limit, finding("units", "Medically unlikely edits", evidence, Verdict.VIOLATED, reason));
        }
        Line mohs = null;
        for (Line other : day) {
            if (other == line || !other.serviceDate().equals(line.serviceDate())) {
                continue;
            }
            Boolean isSeparable = codes.edit(other.procedure(), line.procedure());
            if (isSeparable != null && !(isSeparable && isSetApart(line, other))) {
                review.deny(bundled(other), PART_OF_OTHER);
            }
            mohs = codes.role(other.procedure()).isMohs() ? other : mohs;
        }
        if (mohs != null && review.role() == Role.REPAIR) {
            String reason = "A repair is paid beside the surgery that it closes.";
            Map<String, Object> evidence = evidence(mohs);
            review.pay(finding("repair", "Repairs, flaps and skin grafts", evidence, Verdict.SATISFIED, reason));
        }
    }

    private static boolean isSetApart(Line line, Line other) {
        for (String modifier : SEPARATE) {
            if (line.modifiers().contains(modifier) || other.modifiers().contains(modifier)) {
                return true;
            }
        }
        return false;
    }

    private static Finding bundled(Line other) {
        String citation = "Procedure-to-procedure edits, practitioner services";
        String reason = "The service is part of another one of the day.";
        return finding("pair", citation, evidence(other), Verdict.VIOLATED, reason);
    }

    private static Map<String, Object> evidence(Line other) {
        return Evidence.of("other_line", other.line(), "other_procedure", other.procedure());
    }

    private static Finding finding(
            String rule, String citation, Map<String, Object> evidence, Verdict verdict, String reason) {
        return new Finding("ncci." + rule, verdict, "ncci", "1", citation, evidence, reason);
    }
}
