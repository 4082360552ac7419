// CRC-32C of 4 KiB blocks, one after the other through 64 MiB, as blocks come into the cache. The peer is zlib's crc32, native code with
// instructions for it: another polynomial, the same work.
import { crc32 } from 'node:zlib';
import { crc32cBytes, crc32cWords } from 'persistent-data/format';

const BLOCKS = 16384;
const WORDS = 1024;

export async function run(bench) {
  const words = new Uint32Array(BLOCKS * WORDS);
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i, 0x9e37_79b1);
  const bytes = new Uint8Array(words.buffer);
  const checkValue = new TextEncoder().encode('123456789');
  bench.expect('check value', (crc32cBytes(checkValue) ^ -1) >>> 0, 0xe306_9283);
  bench.expect('sum of words', crc32cWords(words, 0, WORDS), crc32cBytes(bytes.subarray(0, 4 * WORDS)));
  const sum = (from) =>
    bench.name === 'ours'
      ? crc32cWords(words, from * WORDS, WORDS)
      : crc32(bytes.subarray(from * 4 * WORDS, (from + 1) * 4 * WORDS));
  let all = 0;
  const pass = () => {
    for (let block = 0; block < BLOCKS; block++) all = (all ^ sum(block)) >>> 0;
  };
  pass();
  const once = all;
  await bench.time('checksum', BLOCKS, pass);
  bench.expect('two passes cancel', all, 0);
  if (once === 0) bench.expect('sum of all', once, 'another number');
}
