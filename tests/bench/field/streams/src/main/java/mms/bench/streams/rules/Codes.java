package mms.bench.streams.rules;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Code tables, made up in the shape and about the size of the published ones that the worker looks things up in.
 *
 * <p>Which codes are edits of which, and how many units are too many, is not what is published.
 */
final class Codes {
    /** By add-on code, the codes that it can add to. */
    static final Map<String, List<String>> PRIMARIES = Map.of(
            "17312", List.of("17311"),
            "17314", List.of("17313"),
            "17315", List.of("17311", "17312", "17313", "17314"));

    private static final List<String> SITES = List.of(
            "lip", "eyelid", "ear", "nose", "scalp", "trunk", "arm", "leg", "neck", "face");

    private final Map<String, Role> roles = new HashMap<>();
    private final Map<String, Integer> unitLimits = new HashMap<>();
    private final Map<CodePair, Boolean> edits = new HashMap<>();
    private final Map<String, Diagnosis> diagnoses = new HashMap<>();

    Codes() {
        range(12001, 13160, Role.REPAIR, 5);
        range(14000, 14350, Role.REPAIR, 2);
        range(15002, 15278, Role.REPAIR, 3);
        range(15570, 15777, Role.REPAIR, 2);
        range(11102, 11107, Role.BIOPSY, 3);
        range(88300, 88399, Role.PATHOLOGY, 9);
        add("17311", Role.MOHS_FIRST_STAGE, 4);
        add("17312", Role.MOHS_ADD_ON, 6);
        add("17313", Role.MOHS_FIRST_STAGE, 3);
        add("17314", Role.MOHS_ADD_ON, 6);
        add("17315", Role.MOHS_BLOCKS, 15);
        addEdits();
        addDiagnoses();
    }

    Role role(String procedure) {
        return roles.getOrDefault(procedure, Role.OTHER);
    }

    /** Most units that are paid for a line; there is no limit for a code that is not known. */
    int unitLimit(String procedure) {
        return unitLimits.getOrDefault(procedure, Integer.MAX_VALUE);
    }

    /** Whether the second procedure is part of the first: null if not, else whether a modifier sets it apart. */
    Boolean edit(String column1, String column2) {
        return edits.get(new CodePair(column1, column2));
    }

    /** What is known of a diagnosis code; null if there is no such code. */
    Diagnosis diagnosis(String code) {
        return diagnoses.get(code);
    }

    private void range(int first, int last, Role role, int unitLimit) {
        for (int code = first; code <= last; code++) {
            add(Integer.toString(code), role, unitLimit);
        }
    }

    private void add(String procedure, Role role, int unitLimit) {
        roles.put(procedure, role);
        unitLimits.put(procedure, unitLimit);
    }

    private void addEdits() {
        roles.forEach((procedure, role) -> {
            if (role == Role.BIOPSY || role == Role.PATHOLOGY) {
                for (int mohs = 17311; mohs <= 17315; mohs++) {
                    edits.put(new CodePair(Integer.toString(mohs), procedure), role == Role.BIOPSY);
                }
            } else if (role == Role.REPAIR) {
                int code = Integer.parseInt(procedure);
                for (int smaller = Math.max(12001, code - 1100); smaller < code - 1000; smaller++) {
                    edits.put(new CodePair(procedure, Integer.toString(smaller)), true);
                }
            }
        });
    }

    private void addDiagnoses() {
        for (String family : List.of("C43", "C44", "C4A", "D03", "D04", "D22")) {
            boolean isListed = !family.equals("D22");
            for (int region = 0; region < SITES.size(); region++) {
                addDiagnosis(family + "." + region, isListed, SITES.get(region), 3);
            }
        }
        addDiagnosis("Z85.8", false, null, 2);
        addDiagnosis("Z94", false, null, 2);
    }

    private void addDiagnosis(String code, boolean isListed, String site, int deeper) {
        diagnoses.put(code, new Diagnosis(true, isListed, site));
        if (deeper > 0) {
            for (int digit = 0; digit <= 9; digit++) {
                addDiagnosis(code + digit, isListed, site, deeper - 1);
            }
        }
    }
}
