/** Compares two metadata devices and describes what differs, without help of the library under test. */

export const BLOCK_SIZE = 4096;

const SALTS: readonly [salt: number, kind: string][] = [
  [121107, 'btree node'],
  [240779, 'bitmap'],
  [160478, 'metadata index'],
  [595846735, 'array block'],
  [160774, 'thin superblock'],
  [9031977, 'cache superblock'],
  [146538381, 'era superblock'],
];

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let crc = index;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** What a block is: told by the salt in its checksum, as the structures say nothing else about themselves. */
export function blockKind(block: Uint8Array): string {
  if (block.every((byte) => byte === 0)) return 'zeros';
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  let crc = 0xffff_ffff;
  for (let i = 4; i < block.length; i += 1) crc = CRC_TABLE[(crc ^ block[i]!) & 0xff]! ^ (crc >>> 8);
  const salt = (view.getUint32(0, true) ^ crc) >>> 0;
  const kind = SALTS.find(([known]) => known === salt)?.[1];
  if (kind === undefined) return 'bad checksum';
  if (kind !== 'btree node') return kind;
  const shape = view.getUint32(4, true) === 1 ? 'internal' : 'leaf';
  return `${shape} node (${view.getUint32(16, true)} entries, value size ${view.getUint32(24, true)})`;
}

/** One block that is not the same on both devices. */
export interface BlockDifference {
  readonly block: number;
  readonly foundKind: string;
  readonly wantedKind: string;
  /** Offset in the block, in bytes, of the first byte that differs, not counting checksum and block number. */
  readonly offset: number;
  readonly found: number;
  readonly wanted: number;
  readonly nrBytes: number;
}

function compareBlock(block: number, found: Uint8Array, wanted: Uint8Array): BlockDifference {
  let [offset, nrBytes] = [-1, 0];
  for (let i = 0; i < BLOCK_SIZE; i += 1) {
    if (found[i] === wanted[i]) continue;
    nrBytes += 1;
    // The checksum (bytes 0..3) differs whenever anything does, so it tells nothing unless it is alone.
    if (offset < 4) offset = i;
  }
  return {
    block,
    foundKind: blockKind(found),
    wantedKind: blockKind(wanted),
    offset,
    found: found[offset]!,
    wanted: wanted[offset]!,
    nrBytes,
  };
}

/** All blocks that differ, in order. Devices of different length differ in length only through {@link describeDifferences}. */
export function compareDevices(found: Uint8Array, wanted: Uint8Array): BlockDifference[] {
  const differences: BlockDifference[] = [];
  if (Buffer.compare(found, wanted) === 0) return differences;
  for (let begin = 0; begin + BLOCK_SIZE <= Math.min(found.length, wanted.length); begin += BLOCK_SIZE) {
    const [a, b] = [found.subarray(begin, begin + BLOCK_SIZE), wanted.subarray(begin, begin + BLOCK_SIZE)];
    if (Buffer.compare(a, b) !== 0) differences.push(compareBlock(begin / BLOCK_SIZE, a, b));
  }
  return differences;
}

const hex = (byte: number) => `0x${byte.toString(16).padStart(2, '0')}`;

/** Describes how two devices differ, for people; the empty text when they are the same byte for byte. */
export function describeDifferences(found: Uint8Array, wanted: Uint8Array, most = 24): string {
  const lines: string[] = [];
  if (found.length !== wanted.length) {
    lines.push(`device is ${found.length} bytes long, ${wanted.length} wanted`);
  }
  const differences = compareDevices(found, wanted);
  if (differences.length > 0) lines.push(`${differences.length} blocks differ:`);
  for (const d of differences.slice(0, most)) {
    const kinds = d.foundKind === d.wantedKind ? d.foundKind : `${d.foundKind}, ${d.wantedKind} wanted`;
    const what = `byte ${d.offset} is ${hex(d.found)}, ${hex(d.wanted)} wanted; ${d.nrBytes} bytes differ`;
    lines.push(`  block ${d.block}: ${kinds}; ${what}`);
  }
  if (differences.length > most) lines.push(`  and ${differences.length - most} more`);
  return lines.join('\n');
}
