package mms.bench.streams.event;

import java.util.List;

/** What the records say of one lesion. Null is unknown, never false. */
public record Lesion(
        String lesion,
        String site,
        String laterality,
        String diameterCm,
        String borders,
        Boolean recurrent,
        Boolean incompletelyExcised,
        Boolean previouslyIrradiated,
        Boolean rapidGrowth,
        Boolean highRiskMetastasis,
        List<String> histology,
        List<String> directInvolvement,
        List<Stage> stages) {

    /** A lesion of which nothing is known. */
    public static Lesion unknown(String lesion) {
        return new Lesion(lesion, null, null, null, null, null, null, null, null, null, null, null, null);
    }

    /** These facts, and those of {@code earlier} where nothing is said here. */
    public Lesion over(Lesion earlier) {
        return new Lesion(
                lesion,
                either(site, earlier.site),
                either(laterality, earlier.laterality),
                either(diameterCm, earlier.diameterCm),
                either(borders, earlier.borders),
                either(recurrent, earlier.recurrent),
                either(incompletelyExcised, earlier.incompletelyExcised),
                either(previouslyIrradiated, earlier.previouslyIrradiated),
                either(rapidGrowth, earlier.rapidGrowth),
                either(highRiskMetastasis, earlier.highRiskMetastasis),
                either(histology, earlier.histology),
                either(directInvolvement, earlier.directInvolvement),
                either(stages, earlier.stages));
    }

    private static <T> T either(T first, T second) {
        return first != null ? first : second;
    }
}
