package mms.bench.streams.event;

import java.util.List;

/** Records of a claim, sent with it or later. */
public record Documentation(Boolean immunosuppressed, List<Lesion> lesions) {
    public static final Documentation NONE = new Documentation(null, List.of());

    /** What is said of a lesion; null if it is not listed. */
    public Lesion of(String lesion) {
        if (lesions != null) {
            for (Lesion listed : lesions) {
                if (listed.lesion().equals(lesion)) {
                    return listed;
                }
            }
        }
        return null;
    }
}
