package mms.bench.streams.result;

import java.util.List;

/** A result as it is written, in the order of the contract. */
public record Result(
        String resultId,
        String claimId,
        String memberId,
        int revision,
        String supersedes,
        String outcome,
        Cause cause,
        List<LineDecision> lines,
        List<Needed> documentationNeeded,
        Basis basis,
        String inputDigest) {
}
