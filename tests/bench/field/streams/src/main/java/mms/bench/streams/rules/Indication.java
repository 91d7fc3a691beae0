package mms.bench.streams.rules;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import mms.bench.streams.result.Finding;
import mms.bench.streams.result.Verdict;

/** An indication of the necessity policy: met when all its criteria are. */
record Indication(String rule, String citation, String reason, List<Criterion> criteria) {

    static Indication of(String id, int item, String reason, Criterion... criteria) {
        return new Indication("necessity." + id, "Indications, item " + item, reason, List.of(criteria));
    }

    Truth holds(Facts facts) {
        Truth all = Truth.TRUE;
        for (Criterion criterion : criteria) {
            Truth one = criterion.holds(facts);
            if (one == Truth.FALSE) {
                return Truth.FALSE;
            }
            if (one == Truth.UNKNOWN) {
                all = Truth.UNKNOWN;
            }
        }
        return all;
    }

    Finding met(Facts facts) {
        Map<String, Object> evidence = new LinkedHashMap<>();
        for (Criterion criterion : criteria) {
            evidence.put(criterion.fact(), facts.get(criterion.fact()));
        }
        evidence.put("from", facts.source());
        return new Finding(rule, Verdict.MET, NecessityPolicy.ID, NecessityPolicy.VERSION, citation, evidence, reason);
    }
}
