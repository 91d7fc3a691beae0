package mms.bench.streams.event;

import java.util.List;

/** The data of an event of any type. A claim has lines; what a type has not, or an event does not say, is null. */
public record EventData(
        String claimId,
        String memberId,
        String payerId,
        String frequencyCode,
        String originalClaimId,
        String receivedDate,
        String expiredDate,
        Provider billingProvider,
        Provider renderingProvider,
        String placeOfService,
        String cliaNumber,
        List<String> diagnoses,
        List<Line> lines,
        Documentation documentation) {
}
