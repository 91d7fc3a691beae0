package mms.bench.streams.rules;

/** Whether something holds, as far as is known. */
enum Truth {
    TRUE, FALSE, UNKNOWN;

    static Truth of(Boolean fact) {
        if (fact == null) {
            return UNKNOWN;
        }
        return fact ? TRUE : FALSE;
    }
}
