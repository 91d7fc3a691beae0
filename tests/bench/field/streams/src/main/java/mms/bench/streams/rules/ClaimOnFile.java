package mms.bench.streams.rules;

import java.util.List;
import mms.bench.streams.event.Documentation;
import mms.bench.streams.event.EventData;
import mms.bench.streams.event.Lesion;

/** A claim with the records that came after it. */
public record ClaimOnFile(EventData claim, List<Documentation> records, boolean expired) {

    /** What all records together say of a lesion; of two that differ the later one. */
    Lesion lesion(String lesion) {
        Lesion known = said(claim.documentation(), lesion, Lesion.unknown(lesion));
        for (Documentation later : records) {
            known = said(later, lesion, known);
        }
        return known;
    }

    Boolean immunosuppressed() {
        Boolean known = claim.documentation() == null ? null : claim.documentation().immunosuppressed();
        for (Documentation later : records) {
            if (later.immunosuppressed() != null) {
                known = later.immunosuppressed();
            }
        }
        return known;
    }

    private static Lesion said(Documentation documentation, String lesion, Lesion known) {
        Lesion said = documentation == null || lesion == null ? null : documentation.of(lesion);
        return said == null ? known : said.over(known);
    }
}
