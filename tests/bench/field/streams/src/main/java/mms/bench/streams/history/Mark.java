package mms.bench.streams.history;

import java.util.Arrays;

/** What is kept of an event to know it again: 16 bytes of its identity, then the 32 of its input digest. */
public record Mark(byte[] bytes) {
    static final int IDENTITY_BYTES = 16;
    static final int BYTES = 48;

    public static Mark of(byte[] identity, byte[] inputDigest) {
        byte[] bytes = Arrays.copyOf(identity, BYTES);
        System.arraycopy(inputDigest, 0, bytes, IDENTITY_BYTES, BYTES - IDENTITY_BYTES);
        return new Mark(bytes);
    }

    boolean isOfSameEvent(byte[] marks, int at) {
        return Arrays.equals(bytes, 0, IDENTITY_BYTES, marks, at, at + IDENTITY_BYTES);
    }
}
