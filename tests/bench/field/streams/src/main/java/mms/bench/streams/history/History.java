package mms.bench.streams.history;

import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import mms.bench.streams.event.Event;
import mms.bench.streams.event.EventData;
import mms.bench.streams.event.Line;

/** The claims of a member, in order of arrival. Nothing is evicted. */
public record History(List<Held> claims) {
    public static final History EMPTY = new History(List.of());

    public boolean hasSeen(Mark mark) {
        for (Held held : claims) {
            if (held.hasSeen(mark)) {
                return true;
            }
        }
        return false;
    }

    /** The history after an event; {@code packed} are the event's data as they are kept. */
    public History after(Event event, Mark mark, byte[] packed) {
        EventData data = event.data();
        switch (event.type()) {
            case Event.SUBMITTED:
                return submitted(data, mark, packed);
            case Event.VOIDED:
                return with(get(data.claimId()).see(mark).close());
            case Event.DOCUMENTED: {
                Held held = get(data.claimId()).see(mark);
                return with(held.open() ? held.document(data.documentation()) : held);
            }
            case Event.EXPIRED:
                return with(get(data.claimId()).see(mark).expire());
            default:
                throw new IllegalArgumentException("the benches have no events of type " + event.type());
        }
    }

    /** Raises IllegalStateException if no such claim is held: the benches' events are about claims that came. */
    public Held get(String claimId) {
        for (Held held : claims) {
            if (held.claimId().equals(claimId)) {
                return held;
            }
        }
        throw new IllegalStateException("an event is about a claim that is not held");
    }

    /** The history with the id of a claim's newest result. */
    public History answered(Held held, String resultId) {
        return with(held.answer(resultId));
    }

    private History submitted(EventData claim, Mark mark, byte[] packed) {
        Held held = new Held(claim.claimId(), true, false, days(claim), mark.bytes(), null, packed, List.of());
        if (claim.frequencyCode().equals("1")) {
            return and(held);
        }
        History left = with(get(claim.originalClaimId()).close());
        return left.and(claim.frequencyCode().equals("8") ? held.close() : held);
    }

    private History and(Held held) {
        List<Held> more = new ArrayList<>(claims.size() + 1);
        more.addAll(claims);
        more.add(held);
        return new History(more);
    }

    private History with(Held changed) {
        List<Held> others = new ArrayList<>(claims);
        others.replaceAll(held -> held.claimId().equals(changed.claimId()) ? changed : held);
        return new History(others);
    }

    private static int[] days(EventData claim) {
        return claim.lines().stream()
                .map(Line::serviceDate)
                .distinct()
                .mapToInt(date -> (int) LocalDate.parse(date).toEpochDay())
                .sorted()
                .toArray();
    }
}
