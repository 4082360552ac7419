import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync, gunzipSync, inflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { CorruptionError } from '../base/index.ts';
import { BlockPacker, BlockUnpacker, metadataBlockKind, WORDS_PER_BLOCK } from '../format/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { type PackOptions, packMetadata, unpackMetadata, type ZlibCodec } from './pack.ts';
import { redactSuperblock } from './redact.ts';

const GOLDEN = join(import.meta.dirname, '../../../../test/golden');

const zlib: ZlibCodec = {
  deflate: (bytes) => deflateSync(bytes),
  inflate: (bytes, maxBytes) => inflateSync(bytes, { maxOutputLength: maxBytes }),
};

function image(path: string): MemoryDevice {
  return MemoryDevice.from(gunzipSync(readFileSync(join(GOLDEN, `${path}.bin.gz`))));
}

function pack(device: MemoryDevice, options: Partial<PackOptions> = {}): Uint8Array {
  const parts: Uint8Array[] = [];
  packMetadata(device, (bytes) => parts.push(bytes.slice()), { zlib, ...options });
  return Buffer.concat(parts);
}

function unpack(bytes: Uint8Array): MemoryDevice {
  let at = 0;
  let device: MemoryDevice | undefined;
  unpackMetadata(
    {
      read: (buffer) => {
        const part = bytes.subarray(at, at + buffer.length);
        buffer.set(part);
        at += part.length;
        return part.length;
      },
    },
    {
      zlib,
      target: (nrBlocks) => {
        device = new MemoryDevice({ nrBlocks });
        return device;
      },
    },
  );
  return device!;
}

/** The programs of all blocks, by block number: order and zlib's choices are each packer's own. */
function programs(bytes: Uint8Array): Map<number, string> {
  const found = new Map<number, string>();
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let at = 32; at < bytes.length; ) {
    const length = Number(view.getBigUint64(at, true));
    const chunk = inflateSync(bytes.subarray(at + 8, at + 8 + length));
    let begin = 0;
    while (begin < chunk.length) {
      const rest = chunk.subarray(begin);
      const block = new BlockUnpacker(rest).next(new Uint32Array(WORDS_PER_BLOCK));
      const end = begin + programLength(rest);
      found.set(block, Buffer.from(chunk.subarray(begin, end)).toString('hex'));
      begin = end;
    }
    at += 8 + length;
  }
  return found;
}

/** A program ends where a shorter one no longer runs. */
function programLength(bytes: Uint8Array): number {
  let low = 0;
  let high = bytes.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    try {
      new BlockUnpacker(bytes.subarray(0, middle)).next(new Uint32Array(WORDS_PER_BLOCK));
      high = middle;
    } catch {
      low = middle;
    }
  }
  return high;
}

test.each(['tools/t1', 'tools/gen', 'thin/multi-64k-clean'])('%s is packed as version 1.1.0 packs it', (path) => {
  const theirs = readFileSync(join(GOLDEN, `tools/${path.split('/')[1]}.pack`));
  const ours = pack(image(path));
  expect(ours.subarray(0, 32)).toEqual(theirs.subarray(0, 32));
  expect(programs(ours)).toEqual(programs(theirs));
});

test.each(['thin/deep', 'thin/metasnap', 'thin/crash-live', 'cache/v2-live', 'era/eras-clean'])(
  '%s comes out of its pack as it went in, but for what is no metadata',
  (path) => {
    const device = image(path);
    const expected = device.toBytes();
    const words = new Uint32Array(expected.buffer);
    for (let base = 0; base < words.length; base += WORDS_PER_BLOCK) {
      if (metadataBlockKind(words, base) === undefined) words.fill(0, base, base + WORDS_PER_BLOCK);
    }
    expect(Buffer.compare(unpack(pack(device)).toBytes(), expected)).toBe(0);
  },
);

test('a redacted pack has no uuid and no old memory, and is valid all the same', () => {
  const device = image('tools/t1');
  const words = new Uint32Array(WORDS_PER_BLOCK);
  device.read(0, [new Uint8Array(words.buffer)]);
  const clean = words.slice();
  words.fill(0xabcd_ef01, 4, 8);
  words.fill(0x5ec2_e700, 30, 40);
  words.fill(0x5ec2_e700, 95, 200);
  redactSuperblock(words, 0, 'thinSuperblock');
  expect(words).toEqual(clean);
  expect(Buffer.compare(unpack(pack(device, { redact: true })).toBytes(), device.toBytes())).toBe(0);
});

test('a pack that is cut anywhere is an error, and leaves no superblock', () => {
  const bytes = pack(image('tools/t1'));
  for (let length = 0; length < bytes.length; length += 7) {
    let device: MemoryDevice | undefined;
    if (length === 32) continue;
    expect(() => {
      device = unpack(bytes.subarray(0, length));
    }).toThrow(CorruptionError);
    expect(device).toBeUndefined();
  }
});

test('what is no pack, or another version, is refused with the texts of the tools', () => {
  const bytes = pack(image('tools/t1'));
  const changed = (at: number): Uint8Array => bytes.map((byte, i) => (i === at ? 9 : byte));
  expect(() => unpack(changed(0))).toThrow('Not a pack file');
  expect(() => unpack(changed(8))).toThrow('unsupported pack file version (9).');
  expect(() => unpack(changed(16))).toThrow('block size is not 4096');
  expect(() => unpack(changed(31))).toThrow(CorruptionError);
  expect(() => unpack(changed(39))).toThrow(CorruptionError);
  expect(() => unpack(changed(60))).toThrow(CorruptionError);
});

/** A pack whose only chunk has one block, of this number and these words. */
function packOf(block: number, words: Uint32Array): Uint8Array {
  const packer = new BlockPacker();
  packer.add(words, 0, block, 'bitmap');
  const chunk = deflateSync(packer.packed);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(chunk.length));
  return Buffer.concat([pack(new MemoryDevice({ nrBlocks: 5 })), length, chunk]);
}

test('a pack of a device without metadata is empty', () => {
  const bytes = pack(new MemoryDevice({ nrBlocks: 5 }));
  expect(bytes).toHaveLength(32);
  expect(unpack(packOf(4, superblock())).nrBlocks).toBe(5);
});

const superblock = (): Uint32Array => {
  const words = new Uint32Array(WORDS_PER_BLOCK);
  image('tools/t1').read(0, [new Uint8Array(words.buffer)]);
  return words;
};

test('a pack with a block beyond the end, or one that is no metadata, is damaged', () => {
  expect(() => unpack(packOf(5, superblock()))).toThrow(CorruptionError);
  expect(() => unpack(packOf(5, superblock()))).toThrow('block 5 is beyond the end, of 5 blocks');
  expect(() => unpack(packOf(3, new Uint32Array(WORDS_PER_BLOCK)))).toThrow('block 3 is of no known kind');
});
