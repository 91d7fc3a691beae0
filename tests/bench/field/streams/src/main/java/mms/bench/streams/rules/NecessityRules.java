package mms.bench.streams.rules;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import mms.bench.streams.event.Line;
import mms.bench.streams.result.Adjustment;
import mms.bench.streams.result.Finding;
import mms.bench.streams.result.Needed;
import mms.bench.streams.result.Verdict;

/** Whether Mohs surgery was needed: the diagnoses of a line, then the indications. */
final class NecessityRules {
    private static final String DIAGNOSES = "Diagnosis Codes";
    private static final Adjustment BAD_DIAGNOSIS = new Adjustment("CO", "146", List.of("M76"));
    private static final Adjustment NOT_NEEDED = new Adjustment("CO", "50", List.of("N130"));
    private static final Adjustment NO_RECORDS = new Adjustment("CO", "226", List.of("M127"));

    private final Codes codes;

    NecessityRules(Codes codes) {
        this.codes = codes;
    }

    /** Facts that are missing, where the line pends for them; else null. */
    Needed review(LineReview review, ClaimOnFile file) {
        Line line = review.line();
        String implied = null;
        boolean isListed = false;
        for (int pointer : line.diagnosisPointers()) {
            String code = file.claim().diagnoses().get(pointer - 1);
            Diagnosis diagnosis = codes.diagnosis(code);
            if (diagnosis == null || !diagnosis.billable()) {
                review.deny(diagnosis("known", code, "There is no such diagnosis code."), BAD_DIAGNOSIS);
                return null;
            }
            isListed |= diagnosis.listed();
            implied = implied == null ? diagnosis.site() : implied;
        }
        if (!isListed) {
            String code = file.claim().diagnoses().get(line.diagnosisPointers().get(0) - 1);
            review.deny(diagnosis("listed", code, "The policy does not list the line's diagnoses."), NOT_NEEDED);
            return null;
        }
        return indications(review, Facts.of(file.lesion(line.lesion()), file.immunosuppressed(), implied), file);
    }

    private static Needed indications(LineReview review, Facts facts, ClaimOnFile file) {
        boolean isMet = false;
        boolean isUnknown = false;
        for (Indication indication : NecessityPolicy.INDICATIONS) {
            Truth truth = indication.holds(facts);
            if (truth == Truth.TRUE) {
                review.pay(indication.met(facts));
                isMet = true;
            }
            isUnknown |= truth == Truth.UNKNOWN;
        }
        if (isMet) {
            return null;
        }
        if (!isUnknown) {
            review.deny(all(Verdict.VIOLATED, facts, "The facts on record meet no indication."), NOT_NEEDED);
            return null;
        }
        Finding open = all(Verdict.UNKNOWN, facts, "No indication is met, and facts that could meet one are missing.");
        if (file.expired()) {
            review.deny(open, NO_RECORDS);
            return null;
        }
        review.pend(open);
        return new Needed(review.line().line(), review.line().lesion(), missing(facts));
    }

    private static List<String> missing(Facts facts) {
        List<String> missing = new ArrayList<>();
        for (String fact : NecessityPolicy.FACTS) {
            if (facts.get(fact) == null) {
                missing.add(fact);
            }
        }
        return missing;
    }

    private static Finding all(Verdict verdict, Facts facts, String reason) {
        Map<String, Object> evidence = new LinkedHashMap<>();
        for (String fact : NecessityPolicy.FACTS) {
            evidence.put(fact, facts.get(fact));
        }
        return finding("indications", verdict, "Indications, items 1 to 30", evidence, reason);
    }

    private static Finding diagnosis(String rule, String code, String reason) {
        return finding("diagnosis-" + rule, Verdict.VIOLATED, DIAGNOSES, Map.of("diagnosis", code), reason);
    }

    private static Finding finding(
            String rule, Verdict verdict, String citation, Map<String, Object> evidence, String reason) {
        return new Finding(
                "necessity." + rule, verdict, NecessityPolicy.ID, NecessityPolicy.VERSION, citation, evidence, reason);
    }
}
