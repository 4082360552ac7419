import { CorruptionError, Slab, UnsupportedError } from '../base/index.ts';
import {
  BlockPacker,
  BlockUnpacker,
  METADATA_BLOCK_SIZE,
  metadataBlockKind,
  WORDS_PER_BLOCK,
} from '../format/index.ts';
import { type BlockDevice, MAX_BLOCKS } from '../io/index.ts';
import type { ByteSink } from '../xml/index.ts';
import { redactSuperblock } from './redact.ts';

/** First word of a pack file, in halves. */
const MAGIC_LOW = 0x6309_ef77;
const MAGIC_HIGH = 0xa537_a0aa;
const VERSION = 3;
const HEADER_BYTES = 32;
/** Blocks per chunk. */
const CHUNK_BLOCKS = 1024;
/** Blocks read with one call. */
const RUN_BLOCKS = 256;
/** No packer makes a chunk that takes more, deflated or inflated. */
const MAX_CHUNK_BYTES = 64 * 2 ** 20;

/** zlib, which the library has none of: `node:zlib` has both as `deflateSync` and `inflateSync`. */
export interface ZlibCodec {
  deflate(bytes: Uint8Array): Uint8Array;
  /** @throws when the stream is damaged, or more than `maxBytes` come out. */
  inflate(bytes: Uint8Array, maxBytes: number): Uint8Array;
}

/** How to pack. */
export interface PackOptions {
  readonly zlib: ZlibCodec;
  /** Leaves out what identifies its owner: the uuid, and bytes of memory that old kernels left in superblocks. Default false. */
  readonly redact?: boolean;
  /** Called now and then with the blocks read so far. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What was packed. */
export interface PackSummary {
  readonly nrBlocks: number;
  /** Blocks that are metadata; the others are left out and come back as zeros. */
  readonly nrPacked: number;
}

/**
 * Packs a metadata device of any target into the container of `thin_metadata_pack`: each block whose checksum says that it is metadata, in
 * order. Reads the device once, in large runs; takes some megabytes.
 */
export function packMetadata(device: BlockDevice, sink: ByteSink, options: PackOptions): PackSummary {
  const { zlib, redact = false, onProgress } = options;
  const slab = Slab.ofSize(RUN_BLOCKS * METADATA_BLOCK_SIZE);
  const packer = new BlockPacker();
  let inChunk = 0;
  let nrPacked = 0;
  const flush = (): void => {
    if (inChunk === 0) return;
    const bytes = zlib.deflate(packer.packed);
    sink(u64s([bytes.length]));
    sink(bytes);
    packer.reset();
    inChunk = 0;
  };
  sink(header(device.nrBlocks));
  for (let begin = 0; begin < device.nrBlocks; begin += RUN_BLOCKS) {
    const count = Math.min(RUN_BLOCKS, device.nrBlocks - begin);
    device.read(begin, [slab.bytes.subarray(0, count * METADATA_BLOCK_SIZE)]);
    for (let i = 0; i < count; i++) {
      const base = i * WORDS_PER_BLOCK;
      const kind = metadataBlockKind(slab.words, base);
      if (kind === undefined) continue;
      if (redact && kind.endsWith('Superblock')) redactSuperblock(slab.words, base, kind);
      packer.add(slab.words, base, begin + i, kind);
      nrPacked++;
      if (++inChunk === CHUNK_BLOCKS) flush();
    }
    onProgress?.(begin + count, device.nrBlocks);
  }
  flush();
  return { nrBlocks: device.nrBlocks, nrPacked };
}

/** Where packed bytes come from, in order. */
export interface PackSource {
  /** Fills the buffer as far as it can and answers the bytes read; fewer than asked for mean the end. */
  read(buffer: Uint8Array): number;
}

/** How to unpack. */
export interface UnpackOptions {
  readonly zlib: ZlibCodec;
  /** Makes the device, when the header has told its length in blocks. It holds zeros. */
  readonly target: (nrBlocks: number) => BlockDevice;
  /** Called after each chunk with the blocks written so far. */
  readonly onProgress?: (done: number) => void;
}

/**
 * Unpacks what {@link packMetadata} or version 1.x of `thin_metadata_pack` has written. Block 0, which makes the device valid, is written when all
 * else is there; a file that is cut leaves a device that no tool takes for valid.
 *
 * @throws {CorruptionError} when it is no pack file, is cut or damaged. @throws {UnsupportedError} for other versions and block sizes.
 */
export function unpackMetadata(source: PackSource, options: UnpackOptions): PackSummary {
  const { zlib, target, onProgress } = options;
  const nrBlocks = readHeader(source);
  const device = target(nrBlocks);
  let nrPacked = 0;
  const block = new Slab(new ArrayBuffer(METADATA_BLOCK_SIZE));
  let superblock: Uint8Array | undefined;
  for (let chunk = nextChunk(source, zlib); chunk !== undefined; chunk = nextChunk(source, zlib)) {
    const unpacker = new BlockUnpacker(chunk);
    while (!unpacker.atEnd) {
      const at = unpacker.next(block.words);
      if (at >= nrBlocks) throw damaged(`block ${at} is beyond the end, of ${nrBlocks} blocks`);
      if (metadataBlockKind(block.words, 0) === undefined) throw damaged(`block ${at} is of no known kind`);
      if (at === 0) superblock = block.bytes.slice();
      else device.write(at, [block.bytes]);
      nrPacked++;
    }
    onProgress?.(nrPacked);
  }
  if (superblock !== undefined) {
    device.flush();
    device.write(0, [superblock]);
  }
  device.flush();
  return { nrBlocks, nrPacked };
}

function header(nrBlocks: number): Uint8Array {
  const bytes = u64s([0, VERSION, METADATA_BLOCK_SIZE, nrBlocks]);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC_LOW, true);
  view.setUint32(4, MAGIC_HIGH, true);
  return bytes;
}

function u64s(values: readonly number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    view.setUint32(8 * i, value >>> 0, true);
    view.setUint32(8 * i + 4, value / 0x1_0000_0000, true);
  });
  return bytes;
}

function readHeader(source: PackSource): number {
  const bytes = new Uint8Array(HEADER_BYTES);
  if (source.read(bytes) < HEADER_BYTES) throw cut();
  const view = new DataView(bytes.buffer);
  if (view.getUint32(0, true) !== MAGIC_LOW || view.getUint32(4, true) !== MAGIC_HIGH) {
    throw new CorruptionError('Not a pack file', { kind: 'pack', field: 'magic' });
  }
  if (u64At(view, 8) !== VERSION) throw new UnsupportedError(`unsupported pack file version (${u64At(view, 8)}).`);
  if (u64At(view, 16) !== METADATA_BLOCK_SIZE) throw new UnsupportedError('block size is not 4096');
  const nrBlocks = u64At(view, 24);
  if (nrBlocks > MAX_BLOCKS) throw damaged(`a device of ${nrBlocks} blocks cannot be`);
  return nrBlocks;
}

function nextChunk(source: PackSource, zlib: ZlibCodec): Uint8Array | undefined {
  const length = new Uint8Array(8);
  const got = source.read(length);
  if (got === 0) return undefined;
  if (got < length.length) throw cut();
  const nrBytes = u64At(new DataView(length.buffer), 0);
  if (nrBytes > MAX_CHUNK_BYTES) throw damaged(`a chunk of ${nrBytes} bytes cannot be`);
  const bytes = new Uint8Array(nrBytes);
  if (source.read(bytes) < nrBytes) throw cut();
  try {
    return zlib.inflate(bytes, MAX_CHUNK_BYTES);
  } catch (cause) {
    throw new CorruptionError('Cannot unpack: a chunk cannot be inflated', { kind: 'pack' }, { cause });
  }
}

function u64At(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true);
}

/** The tools' text for a file that ends too early. */
function cut(): CorruptionError {
  return new CorruptionError('failed to fill whole buffer', { kind: 'pack' });
}

function damaged(why: string): CorruptionError {
  return new CorruptionError(`Cannot unpack: ${why}`, { kind: 'pack' });
}
