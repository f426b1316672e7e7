// The two hashes that choose a key's partition, as in kafkalab/tasks/routing.py.

const encoder = new TextEncoder();

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit += 1) rest = rest & 1 ? 0xedb88320 ^ (rest >>> 1) : rest >>> 1;
  return rest >>> 0;
});

/** Text as the bytes that are sent. */
export function utf8(text) {
  return encoder.encode(text);
}

/** CRC32 of bytes as an unsigned number: librdkafka's default hash. */
export function crc32(bytes) {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = TABLE[(sum ^ byte) & 0xff] ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
}

/** MurmurHash2 as Kafka's Java client seeds it, as an unsigned number of 32 bits. */
export function murmur2(bytes) {
  const multiplier = 0x5bd1e995;
  let result = 0x9747b28c ^ bytes.length;
  const whole = bytes.length & ~3;
  for (let at = 0; at < whole; at += 4) {
    let block = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    block = Math.imul(block, multiplier);
    block = Math.imul(block ^ (block >>> 24), multiplier);
    result = Math.imul(result, multiplier) ^ block;
  }
  if (whole < bytes.length) {
    let rest = 0;
    for (let at = bytes.length - 1; at >= whole; at -= 1) rest = (rest << 8) | bytes[at];
    result = Math.imul(result ^ rest, multiplier);
  }
  result = Math.imul(result ^ (result >>> 13), multiplier);
  return (result ^ (result >>> 15)) >>> 0;
}

/** Both hashes of a key, and the partition that each chooses among `partitions`. */
export function placement(bytes, partitions) {
  const crc = crc32(bytes);
  const positive = murmur2(bytes) & 0x7fffffff;
  return {
    crc32Hash: crc,
    murmur2Hash: positive,
    crc32: crc % partitions,
    murmur2: positive % partitions,
  };
}

/** The keys that move when a topic grows: a row for each key, by both hashes. */
export function moves(keys, before, after) {
  return keys.map((key) => {
    const [old, now] = [placement(key.bytes, before), placement(key.bytes, after)];
    return {
      key,
      crc32: { from: old.crc32, to: now.crc32, moves: old.crc32 !== now.crc32 },
      murmur2: { from: old.murmur2, to: now.murmur2, moves: old.murmur2 !== now.murmur2 },
    };
  });
}
