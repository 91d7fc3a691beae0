package mms.bench.streams.rules;

import static mms.bench.streams.rules.Criterion.anyOf;
import static mms.bench.streams.rules.Criterion.atLeastMm;
import static mms.bench.streams.rules.Criterion.isTrue;
import static mms.bench.streams.rules.Criterion.oneOf;

import java.util.List;

/** Thirty indications. Some are a policy's, most are made up so that there is as much to look at as anywhere. */
final class NecessityPolicy {
    static final String ID = "mms-medical-policy";
    static final String VERSION = "1";

    private static final Criterion ILL_DEFINED = oneOf("borders", "ill-defined");
    private static final Criterion IMMUNOSUPPRESSED = isTrue("immunosuppressed");
    private static final Criterion AGGRESSIVE = anyOf(
            "histology", "sclerotic", "morpheaform", "fibrosing", "metatypical", "infiltrative", "spiky-cell-groups",
            "nuclear-pleomorphism", "high-mitotic-activity", "superficial-multicentric");
    private static final Criterion INVASIVE = anyOf("histology", "perineural", "perivascular");
    private static final Criterion IN_SITU = anyOf("histology", "in-situ");
    private static final Criterion HIGH_RISK = oneOf(
            "site", "eyelid", "eyebrow", "nose", "lip", "perioral", "chin", "ear", "temple");
    private static final Criterion MIDDLE_RISK = oneOf("site", "scalp", "neck", "pretibial");
    private static final Criterion BODY = oneOf("site", "trunk", "arm", "leg", "breast");
    private static final Criterion LIMB = oneOf("site", "hand", "foot", "ankle", "nail-unit");
    private static final Criterion DEEP = anyOf("direct_involvement", "muscle", "cartilage", "bone", "tendon");
    private static final Criterion NERVE = anyOf("direct_involvement", "major-nerve", "major-vessel");

    static final List<String> FACTS = List.of(
            "site", "recurrent", "incompletely_excised", "previously_irradiated", "rapid_growth", "histology",
            "borders", "immunosuppressed", "high_risk_metastasis", "diameter_cm", "direct_involvement");

    static final List<Indication> INDICATIONS = List.of(
            Indication.of("high-recurrence-area", 1, "The lesion is where cancer comes back often.", HIGH_RISK),
            Indication.of("recurrent", 2, "The lesion has come back after treatment.", isTrue("recurrent")),
            Indication.of("incomplete", 3, "An earlier excision was incomplete.", isTrue("incompletely_excised")),
            Indication.of("irradiated", 4, "The skin was irradiated before.", isTrue("previously_irradiated")),
            Indication.of("rapid-growth", 5, "The tumor is growing rapidly.", isTrue("rapid_growth")),
            Indication.of("aggressive", 6, "The histology on record is an aggressive one.", AGGRESSIVE),
            Indication.of("invasive", 7, "The tumor follows nerves or vessels.", INVASIVE),
            Indication.of("ill-defined-borders", 8, "The borders of the lesion are not defined.", ILL_DEFINED),
            Indication.of("immunosuppressed", 9, "The patient is immunosuppressed.", IMMUNOSUPPRESSED),
            Indication.of("metastasis", 10, "The risk of metastasis is high.", isTrue("high_risk_metastasis")),
            Indication.of("large", 11, "The lesion measures at least 2.0 cm.", atLeastMm(20)),
            Indication.of("hands-and-feet", 12, "The lesion is where tissue must be kept.", LIMB),
            Indication.of("genitalia", 13, "The lesion is where tissue must be kept.",
                    oneOf("site", "genitalia", "perianal")),
            Indication.of("middle-area", 14, "Large for the scalp, the neck or the shin.", MIDDLE_RISK, atLeastMm(15)),
            Indication.of("middle-aggressive", 15, "Aggressive, on scalp, neck or shin.", MIDDLE_RISK, INVASIVE),
            Indication.of("middle-weak", 16, "On scalp, neck or shin of a weak patient.", MIDDLE_RISK,
                    IMMUNOSUPPRESSED),
            Indication.of("body-large-aggressive", 17, "Large and aggressive.", BODY, atLeastMm(20), AGGRESSIVE),
            Indication.of("body-weak", 18, "Large, on a weak patient's body.", BODY, atLeastMm(10), IMMUNOSUPPRESSED),
            Indication.of("body-unclear", 19, "Unclear and large, on the body.", BODY, ILL_DEFINED, atLeastMm(20)),
            Indication.of("body-invasive", 20, "Invasive, on the body.", BODY, INVASIVE),
            Indication.of("cheek-large", 21, "Large, on the cheek.", oneOf("site", "cheek"), atLeastMm(20)),
            Indication.of("forehead-large", 22, "Large, on the forehead.", oneOf("site", "forehead"), atLeastMm(20)),
            Indication.of("jaw-large", 23, "Large, on the jawline.", oneOf("site", "jawline"), atLeastMm(15)),
            Indication.of("face-unclear", 24, "Unclear and invasive, in the face.", oneOf("site", "face"), ILL_DEFINED,
                    INVASIVE),
            Indication.of("deep", 25, "The tumor has reached what lies under the skin.", DEEP),
            Indication.of("nerve", 26, "The tumor has reached a major nerve or vessel.", NERVE),
            Indication.of("in-situ-large", 27, "Very large, though in situ.", IN_SITU, atLeastMm(40)),
            Indication.of("in-situ-nail", 28, "In situ, at a nail.", IN_SITU, oneOf("site", "nail-unit")),
            Indication.of("in-situ-weak", 29, "In situ and unclear, with a weak patient.", IN_SITU, IMMUNOSUPPRESSED,
                    ILL_DEFINED),
            Indication.of("very-large", 30, "The lesion measures at least 5.0 cm.", atLeastMm(50)));

    private NecessityPolicy() {
    }
}
