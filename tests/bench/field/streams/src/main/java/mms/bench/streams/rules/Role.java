package mms.bench.streams.rules;

/** What a procedure is to Mohs surgery. */
public enum Role {
    MOHS_FIRST_STAGE, MOHS_ADD_ON, MOHS_BLOCKS, REPAIR, BIOPSY, PATHOLOGY, OTHER;

    boolean isMohs() {
        return this == MOHS_FIRST_STAGE || isAddOn();
    }

    boolean isAddOn() {
        return this == MOHS_ADD_ON || this == MOHS_BLOCKS;
    }
}
