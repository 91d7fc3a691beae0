package mms.bench.streams;

import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import mms.bench.streams.event.Event;
import mms.bench.streams.history.Held;
import mms.bench.streams.result.Basis;
import mms.bench.streams.result.Cause;
import mms.bench.streams.result.Decision;
import mms.bench.streams.result.Result;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;

/** Makes results of decisions: their ids, their bytes and the headers of the contract. */
final class Answers {
    private static final String ENGINE = "0.1.0";
    private static final Map<String, String> POLICIES = new LinkedHashMap<>();
    private static final Map<String, String> CODE_SETS = new LinkedHashMap<>();
    private static final String BASIS_DIGEST = "sha256:" + "5f".repeat(32);

    private static final byte[] SPEC_VERSION = bytes("1.0");
    private static final byte[] SOURCE = bytes("/bench/streams");
    private static final byte[] TYPE = bytes("mms.claim.adjudicated.v1");
    private static final byte[] CONTENT_TYPE = bytes("application/json");

    static {
        POLICIES.put("mms-coding", "1");
        POLICIES.put("mms-medical-policy", "1");
        POLICIES.put("ncci", "1");
        CODE_SETS.put("icd10cm", "FY2025");
        CODE_SETS.put("mms-diagnoses", "1");
        CODE_SETS.put("mms-implied-facts", "1");
        CODE_SETS.put("ncci-aoc", "2024Q2");
        CODE_SETS.put("ncci-modifiers", "2024-06");
        CODE_SETS.put("ncci-mue", "2024Q3");
        CODE_SETS.put("ncci-ptp", "2024Q3");
    }

    private final Digests digests;
    private final Json json;

    Answers(Digests digests, Json json) {
        this.digests = digests;
        this.json = json;
    }

    Answer of(Event event, Held held, Decision decision, byte[] inputDigest, byte[] historyDigest) {
        String history = Digests.written(historyDigest);
        String id = digests.id(String.join(
                "\n", held.claimId(), Integer.toString(held.revision()), event.source(), event.id(), BASIS_DIGEST,
                history));
        Result result = new Result(
                id,
                held.claimId(),
                event.data().memberId(),
                held.revision(),
                held.resultId(),
                decision.outcome(),
                new Cause(event.source(), event.id(), event.type()),
                decision.lines(),
                decision.documentationNeeded(),
                new Basis(ENGINE, POLICIES, CODE_SETS, BASIS_DIGEST, history),
                Digests.written(inputDigest));
        return new Answer(id, json.bytes(result), headers(id, event.time()));
    }

    private static Headers headers(String id, String time) {
        Headers headers = new RecordHeaders()
                .add("ce_specversion", SPEC_VERSION)
                .add("ce_id", bytes(id))
                .add("ce_source", SOURCE)
                .add("ce_type", TYPE)
                .add("content-type", CONTENT_TYPE);
        return time == null ? headers : headers.add("ce_time", bytes(time));
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
