package mms.bench.streams.rules;

import java.util.List;
import mms.bench.streams.event.Lesion;
import mms.bench.streams.event.Stage;

/**
 * What is known of the lesion of a line; null is unknown.
 *
 * @param source where the site comes from: documentation or diagnosis
 * @param diameterMm in tenths of a centimetre
 */
record Facts(Lesion lesion, Boolean immunosuppressed, String site, String source, Integer diameterMm) {

    static Facts of(Lesion lesion, Boolean immunosuppressed, String impliedSite) {
        boolean isDocumented = lesion.site() != null || impliedSite == null;
        return new Facts(
                lesion,
                immunosuppressed,
                isDocumented ? lesion.site() : impliedSite,
                isDocumented ? "documentation" : "diagnosis",
                lesion.diameterCm() == null ? null : (int) Math.round(10 * Double.parseDouble(lesion.diameterCm())));
    }

    /** The value of a fact by its name in the contract. */
    Object get(String name) {
        return switch (name) {
            case "site" -> site;
            case "recurrent" -> lesion.recurrent();
            case "incompletely_excised" -> lesion.incompletelyExcised();
            case "previously_irradiated" -> lesion.previouslyIrradiated();
            case "rapid_growth" -> lesion.rapidGrowth();
            case "histology" -> lesion.histology();
            case "borders" -> lesion.borders();
            case "immunosuppressed" -> immunosuppressed;
            case "high_risk_metastasis" -> lesion.highRiskMetastasis();
            case "diameter_cm" -> lesion.diameterCm();
            case "direct_involvement" -> lesion.directInvolvement();
            default -> throw new IllegalArgumentException("no such fact: " + name);
        };
    }

    /** Stages on record; null if nothing is said of them. */
    Integer stages() {
        return lesion.stages() == null ? null : lesion.stages().size();
    }

    /** Blocks on record beyond the fifth of a stage; null if those of some stage are not said. */
    Integer furtherBlocks() {
        List<Stage> stages = lesion.stages();
        if (stages == null) {
            return null;
        }
        int further = 0;
        for (Stage stage : stages) {
            if (stage.blocks() == null) {
                return null;
            }
            further += Math.max(0, stage.blocks() - 5);
        }
        return further;
    }
}
