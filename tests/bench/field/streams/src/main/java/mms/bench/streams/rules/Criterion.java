package mms.bench.streams.rules;

import java.util.List;
import java.util.Set;
import java.util.function.Function;

/** One condition of an indication, and the fact that it looks at. */
record Criterion(String fact, Function<Facts, Truth> test) {

    static Criterion isTrue(String fact) {
        return new Criterion(fact, facts -> Truth.of((Boolean) facts.get(fact)));
    }

    static Criterion oneOf(String fact, String... words) {
        Set<String> wanted = Set.of(words);
        return new Criterion(fact, facts -> {
            Object word = facts.get(fact);
            return word == null ? Truth.UNKNOWN : Truth.of(wanted.contains(word));
        });
    }

    static Criterion anyOf(String fact, String... words) {
        Set<String> wanted = Set.of(words);
        return new Criterion(fact, facts -> {
            List<?> found = (List<?>) facts.get(fact);
            return found == null ? Truth.UNKNOWN : Truth.of(found.stream().anyMatch(wanted::contains));
        });
    }

    static Criterion atLeastMm(int least) {
        return new Criterion("diameter_cm", facts -> {
            Integer diameter = facts.diameterMm();
            return diameter == null ? Truth.UNKNOWN : Truth.of(diameter >= least);
        });
    }

    Truth holds(Facts facts) {
        return test.apply(facts);
    }
}
