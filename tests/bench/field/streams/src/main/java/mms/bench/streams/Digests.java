package mms.bench.streams;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.UUID;

/** Digests and name-based ids. Not for several threads at once. */
final class Digests {
    private static final UUID NAMESPACE = UUID.fromString("3f0c1f6e-6d0b-5c1e-9a5e-6b2f8f6c9d11");

    private final MessageDigest sha256 = of("SHA-256");
    private final MessageDigest sha1 = of("SHA-1");
    private final byte[] namespace = ByteBuffer.allocate(16)
            .putLong(NAMESPACE.getMostSignificantBits())
            .putLong(NAMESPACE.getLeastSignificantBits())
            .array();

    /** SHA-256 over some texts, each ended by a zero byte, and then some bytes. */
    byte[] sha256(byte[] bytes, String... texts) {
        for (String text : texts) {
            sha256.update(text.getBytes(StandardCharsets.UTF_8));
            sha256.update((byte) 0);
        }
        return sha256.digest(bytes);
    }

    /** As the contract writes a digest. */
    static String written(byte[] digest) {
        return "sha256:" + HexFormat.of().formatHex(digest);
    }

    /** UUID version 5 of a name. */
    String id(String name) {
        sha1.update(namespace);
        ByteBuffer hash = ByteBuffer.wrap(sha1.digest(name.getBytes(StandardCharsets.UTF_8)));
        long high = hash.getLong() & 0xffffffffffff0fffL | 0x5000L;
        long low = hash.getLong() & 0x3fffffffffffffffL | 0x8000000000000000L;
        return new UUID(high, low).toString();
    }

    private static MessageDigest of(String algorithm) {
        try {
            return MessageDigest.getInstance(algorithm);
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error);
        }
    }
}
