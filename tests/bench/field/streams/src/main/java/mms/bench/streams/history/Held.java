package mms.bench.streams.history;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import mms.bench.streams.event.Documentation;

/**
 * A claim as a member's history holds it.
 *
 * @param days its days of service, counted from 1970-01-01
 * @param seen the marks of the events about it, one after the other
 * @param resultId of its latest result; null before the first
 * @param body the packed claim; empty once the claim is closed
 * @param records documentation that came after the claim, in order of arrival
 */
public record Held(
        String claimId,
        boolean open,
        boolean expired,
        int[] days,
        byte[] seen,
        String resultId,
        byte[] body,
        List<Documentation> records) {

    private static final byte[] NOTHING = {};

    /** Number of the result that answers its newest event: every event is answered once. */
    public int revision() {
        return seen.length / Mark.BYTES;
    }

    /** Whether it has a day of service in common with another claim. */
    public boolean meets(Held other) {
        for (int day : days) {
            for (int theirs : other.days) {
                if (day == theirs) {
                    return true;
                }
            }
        }
        return false;
    }

    boolean hasSeen(Mark mark) {
        for (int at = 0; at < seen.length; at += Mark.BYTES) {
            if (mark.isOfSameEvent(seen, at)) {
                return true;
            }
        }
        return false;
    }

    Held see(Mark mark) {
        byte[] more = Arrays.copyOf(seen, seen.length + Mark.BYTES);
        System.arraycopy(mark.bytes(), 0, more, seen.length, Mark.BYTES);
        return new Held(claimId, open, expired, days, more, resultId, body, records);
    }

    Held close() {
        return new Held(claimId, false, expired, days, seen, resultId, NOTHING, List.of());
    }

    Held expire() {
        return new Held(claimId, open, true, days, seen, resultId, body, records);
    }

    Held document(Documentation documentation) {
        List<Documentation> more = new ArrayList<>(records);
        more.add(documentation);
        return new Held(claimId, open, expired, days, seen, resultId, body, more);
    }

    Held answer(String newest) {
        return new Held(claimId, open, expired, days, seen, newest, body, records);
    }
}
