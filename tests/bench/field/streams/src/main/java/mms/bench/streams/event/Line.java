package mms.bench.streams.event;

import java.util.List;

/** One billed service. Diagnosis pointers count from 1 into the claim's diagnoses. */
public record Line(
        int line,
        String procedure,
        List<String> modifiers,
        int units,
        List<Integer> diagnosisPointers,
        String serviceDate,
        String charge,
        String lesion) {
}
