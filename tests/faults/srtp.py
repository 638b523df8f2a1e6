"""SRTP with AES_CM_128_HMAC_SHA1_80 [RFC 3711], for a peer that protects what it sends wrongly on purpose. AES is OpenSSL's."""
import hashlib
import hmac
import struct
import subprocess

LABEL_CIPHER, LABEL_AUTHENTICATION, LABEL_SALT = 0, 1, 2


def aes_blocks(key, blocks):
    done = subprocess.run(["openssl", "enc", "-aes-128-ecb", "-nopad", "-K", key.hex()], input=b"".join(blocks), check=True,
                          capture_output=True).stdout
    return [done[at:at + 16] for at in range(0, len(done), 16)]


def key_stream(key, start, length):
    """[RFC 3711 §4.1.1] `start`: the counter block as a number."""
    return b"".join(aes_blocks(key, [(start + n).to_bytes(16, "big") for n in range((length + 15) // 16)]))[:length]


class Sender:
    def __init__(self, master_key, master_salt):
        def derived(label, length):  # [RFC 3711 §4.3.1], with a key derivation rate of nothing
            return key_stream(master_key, (int.from_bytes(master_salt, "big") ^ label << 48) << 16, length)
        self.cipher, self.authentication, self.salt = (derived(LABEL_CIPHER, 16), derived(LABEL_AUTHENTICATION, 20),
                                                       derived(LABEL_SALT, 14))

    def protect(self, packets):
        """RTP with headers of twelve bytes, without rollover. All at once: one call of OpenSSL does them all."""
        length = max(len(packet) for packet in packets) - 12
        blocks = -(-length // 16)
        counters = []
        for packet in packets:
            sequence, ssrc = struct.unpack(">H", packet[2:4])[0], int.from_bytes(packet[8:12], "big")
            start = int.from_bytes(self.salt, "big") << 16 ^ ssrc << 64 ^ sequence << 16
            counters += [(start + n).to_bytes(16, "big") for n in range(blocks)]
        stream = aes_blocks(self.cipher, counters)
        out = []
        for number, packet in enumerate(packets):
            mask = b"".join(stream[number * blocks:(number + 1) * blocks])
            secret = packet[:12] + bytes(a ^ b for a, b in zip(packet[12:], mask))
            out.append(secret + hmac.new(self.authentication, secret + bytes(4), hashlib.sha1).digest()[:10])
        return out
