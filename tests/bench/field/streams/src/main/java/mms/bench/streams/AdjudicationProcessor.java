package mms.bench.streams;

import java.util.ArrayList;
import java.util.List;
import mms.bench.streams.event.Event;
import mms.bench.streams.event.Line;
import mms.bench.streams.history.Held;
import mms.bench.streams.history.History;
import mms.bench.streams.history.Mark;
import mms.bench.streams.history.Packing;
import mms.bench.streams.result.Decision;
import mms.bench.streams.rules.Adjudicator;
import mms.bench.streams.rules.ClaimOnFile;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/** Answers every event that is new with one result, and keeps the member's history. */
final class AdjudicationProcessor implements Processor<byte[], byte[], byte[], byte[]> {
    static final String HISTORIES = "histories";

    private static final byte[] NOTHING = {};

    private final Digests digests = new Digests();
    private final Json json;
    private final Packing packing;
    private final Adjudicator adjudicator;
    private final Answers answers;
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<Bytes, byte[]> histories;

    /** The three given are for all partitions together. */
    AdjudicationProcessor(Json json, Packing packing, Adjudicator adjudicator) {
        this.json = json;
        this.packing = packing;
        this.adjudicator = adjudicator;
        answers = new Answers(digests, json);
    }

    @Override
    public void init(ProcessorContext<byte[], byte[]> given) {
        context = given;
        histories = given.getStateStore(HISTORIES);
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
        Event event = json.event(record.value());
        byte[] packed = packing.pack(event.data());
        byte[] inputDigest = digests.sha256(packed, event.source(), event.id(), event.type());
        Mark mark = Mark.of(digests.sha256(NOTHING, event.source(), event.id()), inputDigest);

        Bytes member = Bytes.wrap(record.key());
        byte[] stored = histories.get(member);
        History before = stored == null ? History.EMPTY : packing.history(stored);
        if (before.hasSeen(mark)) {
            return;
        }
        History after = before.after(event, mark, packed);
        Held held = after.get(event.data().claimId());
        byte[] historyDigest = digests.sha256(stored == null ? NOTHING : stored);
        Answer answer = answers.of(event, held, decide(event, held, after), inputDigest, historyDigest);
        histories.put(member, packing.pack(after.answered(held, answer.resultId())));
        context.forward(record.withValue(answer.value()).withHeaders(answer.headers()));
    }

    private Decision decide(Event event, Held held, History history) {
        if (!held.open()) {
            return Decision.VOID;
        }
        boolean isNew = event.type().equals(Event.SUBMITTED);
        ClaimOnFile file = new ClaimOnFile(
                isNew ? event.data() : packing.claim(held.body()), held.records(), held.expired());
        return adjudicator.decide(file, others(held, history));
    }

    private List<Line> others(Held held, History history) {
        List<Line> lines = new ArrayList<>();
        for (Held other : history.claims()) {
            if (other != held && other.open() && other.meets(held)) {
                lines.addAll(packing.claim(other.body()).lines());
            }
        }
        return lines;
    }
}
