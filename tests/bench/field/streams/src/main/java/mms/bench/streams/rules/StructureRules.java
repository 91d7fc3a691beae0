package mms.bench.streams.rules;

import java.util.List;
import java.util.Map;
import mms.bench.streams.event.Lesion;
import mms.bench.streams.event.Line;
import mms.bench.streams.result.Adjustment;
import mms.bench.streams.result.Finding;
import mms.bench.streams.result.Verdict;

/** Whether the Mohs lines of a day fit together, and to the stages and blocks on record. */
final class StructureRules {
    private static final Adjustment NO_PARENT = new Adjustment("CO", "107", List.of("N122"));
    private static final Adjustment NOT_ON_RECORD = new Adjustment("CO", "112", List.of("N386"));

    /** {@code day} are the lines of the member's claims on the claim's days of service. */
    void review(LineReview review, List<Line> day, ClaimOnFile file) {
        Line line = review.line();
        if (review.role().isAddOn() && !hasParent(line, day)) {
            Map<String, Object> evidence = Map.of("primaries", Codes.PRIMARIES.get(line.procedure()));
            String reason = "Nothing that it could add to was billed for the day and lesion.";
            review.deny(finding("parent-absent", "Add-on codes", evidence, reason), NO_PARENT);
        }
        Lesion lesion = file.lesion(line.lesion());
        Facts facts = Facts.of(lesion, null, null);
        Integer onRecord = onRecord(review.role(), facts);
        int billed = billed(line, review.role(), day);
        if (onRecord != null && billed > onRecord) {
            Map<String, Object> evidence = Evidence.of("on_record", onRecord, "billed", billed);
            String reason = "More was billed than the records show.";
            review.deny(finding("more-than-on-record", "Stages and tissue blocks", evidence, reason), NOT_ON_RECORD);
        }
    }

    private static Integer onRecord(Role role, Facts facts) {
        return switch (role) {
            case MOHS_ADD_ON -> facts.stages() == null ? null : facts.stages() - 1;
            case MOHS_BLOCKS -> facts.furtherBlocks();
            default -> facts.stages();
        };
    }

    private static int billed(Line line, Role role, List<Line> day) {
        if (role == Role.MOHS_FIRST_STAGE) {
            return 1;
        }
        int units = 0;
        for (Line other : day) {
            if (other.procedure().equals(line.procedure()) && isOfSameLesion(line, other)) {
                units += other.units();
            }
        }
        return units;
    }

    private static boolean hasParent(Line line, List<Line> day) {
        List<String> primaries = Codes.PRIMARIES.get(line.procedure());
        for (Line other : day) {
            if (primaries.contains(other.procedure()) && isOfSameLesion(line, other)) {
                return true;
            }
        }
        return false;
    }

    private static boolean isOfSameLesion(Line line, Line other) {
        return line.lesion() != null
                && line.lesion().equals(other.lesion())
                && line.serviceDate().equals(other.serviceDate());
    }

    private static Finding finding(String rule, String citation, Map<String, Object> evidence, String reason) {
        return new Finding("structure." + rule, Verdict.VIOLATED, "mms-coding", "1", citation, evidence, reason);
    }
}
