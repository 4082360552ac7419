import { CorruptionError, StateError, type U64 } from '../base/index.ts';
import { BlockManager } from '../block-manager/index.ts';
import { readU64, walkTree } from '../btree/index.ts';
import {
  DEVICE_DETAILS,
  SUPERBLOCK_LOCATION,
  THIN_FLAG_NEEDS_CHECK,
  THIN_SUPERBLOCK_VALIDATOR,
} from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import type { BlockReader } from '../transaction-manager/index.ts';
import { DEVICE_DETAILS_TYPE, type DeviceDetails } from './device-details.ts';
import { MappingDump } from './dump-mappings.ts';
import { LeafSharing } from './leaf-sharing.ts';
import type { ThinMetadata } from './metadata.ts';
import { metadataDevice } from './metadata-source.ts';
import { needsCheck, readThinSuperblock, type ThinSuperblock } from './superblock.ts';
import type { ThinVisitor } from './visitor.ts';
import { ThinXmlWriter } from './xml-writer.ts';

/** What to dump. */
export interface ThinDumpOptions {
  /** The metadata snapshot in place of the pool; or the copy of a superblock at this block. Its number of data blocks is 0. */
  readonly metadataSnapshot?: boolean | number;
  /** Only these devices. Default: all. Ids of no device are ignored. */
  readonly devIds?: Iterable<number>;
  /** The devices without their mappings. */
  readonly skipMappings?: boolean;
  /** In place of what the superblock says. */
  readonly transactionId?: U64;
  /** The same, in 512-byte sectors. */
  readonly dataBlockSizeSectors?: number;
  /** At least this many data blocks, but of a metadata snapshot. */
  readonly nrDataBlocks?: number;
  /** Called now and then with the leaves read so far, and the metadata blocks in use as the superblock says. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Blocks of cache for internal nodes: 16 MiB. */
const CACHE_BLOCKS = 4096;

/**
 * Gives all of a pool's metadata to a visitor, as `thin_dump` of version 1.x does: leaves that several devices share become defs, named
 * after their first block, and refs. Reads each node once, internal ones twice; memory does not depend on the number of mappings.
 *
 * @throws {CorruptionError} at the first node that is not believable; the visitor has then got no `superblockEnd`.
 * @throws {StateError} when there is no metadata snapshot.
 */
export function dumpThin(
  source: BlockDevice | ThinMetadata,
  visitor: ThinVisitor,
  options: ThinDumpOptions = {},
): void {
  const device = metadataDevice(source);
  const blockManager = new BlockManager(device, {
    // No more than there are: a small pool is dumped without 16 MiB of zeros being made.
    cacheBlocks: Math.max(32, Math.min(CACHE_BLOCKS, device.nrBlocks)),
    readOnly: true,
  });
  const reader: BlockReader = { blockManager, read: (b, validator) => blockManager.read(b, validator) };
  const live = readSuperblock(reader, SUPERBLOCK_LOCATION);
  const isSnapshot = (options.metadataSnapshot ?? false) !== false;
  const superblock = isSnapshot ? readHeldSuperblock(reader, live, options.metadataSnapshot) : live;
  const { nrBlocks } = superblock.dataSpaceMapRoot;
  visitor.superblockBegin({
    uuid: '',
    time: superblock.time,
    transaction: options.transactionId ?? superblock.transactionId,
    ...(needsCheck(superblock) ? { flags: THIN_FLAG_NEEDS_CHECK } : {}),
    version: superblock.version,
    dataBlockSize: options.dataBlockSizeSectors ?? superblock.dataBlockSize,
    nrDataBlocks: isSnapshot ? 0 : Math.max(nrBlocks, options.nrDataBlocks ?? 0),
  });
  const { onProgress } = options;
  const total = Math.min(live.metadataSpaceMapRoot.nrAllocated, device.nrBlocks);
  const onRead = onProgress && ((done: number) => onProgress(Math.min(done, total), total));
  const mappings = new MappingDump(device, reader, visitor, onRead);
  const devices = listDevices(reader, superblock, options.devIds);
  dumpDevices(devices, { reader, visitor, mappings, skipMappings: options.skipMappings ?? false });
  visitor.superblockEnd();
}

/** The XML of a pool, as `thin_dump` of version 1.x prints it. For pools that fit into memory as text. */
export function dumpThinXml(source: BlockDevice | ThinMetadata, options: ThinDumpOptions = {}): string {
  const decoder = new TextDecoder();
  let text = '';
  const writer = new ThinXmlWriter((bytes) => {
    text += decoder.decode(bytes, { stream: true });
  });
  dumpThin(source, writer, options);
  return text + decoder.decode();
}

interface DumpedDevice {
  readonly id: number;
  readonly root: number;
  readonly details: DeviceDetails;
}

interface DumpParts {
  readonly reader: BlockReader;
  readonly visitor: ThinVisitor;
  readonly mappings: MappingDump;
  readonly skipMappings: boolean;
}

function dumpDevices(devices: readonly DumpedDevice[], parts: DumpParts): void {
  const { reader, visitor, mappings, skipMappings } = parts;
  const sharing = new LeafSharing(reader);
  const heights = skipMappings ? [] : devices.map(({ root }) => sharing.add(root));
  for (const first of skipMappings ? [] : sharing.sharedRuns()) {
    visitor.defBegin(String(first));
    mappings.def(first, sharing);
    visitor.defEnd();
  }
  for (const [i, { id, root, details }] of devices.entries()) {
    visitor.deviceBegin({
      devId: id,
      mappedBlocks: details.mappedBlocks,
      transaction: details.transactionId,
      creationTime: details.creationTime,
      snapTime: details.snapshottedTime,
    });
    if (!skipMappings) mappings.device(root, heights[i]!, sharing);
    visitor.deviceEnd();
  }
}

function readSuperblock(reader: BlockReader, block: number): ThinSuperblock {
  const base = reader.read(block, THIN_SUPERBLOCK_VALIDATOR);
  const superblock = readThinSuperblock(reader.blockManager.slab, base);
  const { nrBlocks } = superblock.dataSpaceMapRoot;
  if (!Number.isSafeInteger(nrBlocks)) {
    const message = `Cannot read thin_superblock block ${block}: it says ${nrBlocks} data blocks, less than 2^53 is wanted`;
    throw new CorruptionError(message, { block, kind: 'thin_superblock', field: 'nrBlocks', found: nrBlocks });
  }
  return superblock;
}

function readHeldSuperblock(
  reader: BlockReader,
  live: ThinSuperblock,
  wanted: ThinDumpOptions['metadataSnapshot'],
): ThinSuperblock {
  if (live.heldRoot === 0) throw new StateError('no current metadata snap');
  return readSuperblock(reader, typeof wanted === 'number' ? wanted : live.heldRoot);
}

/** The devices by id, with their details. */
function listDevices(reader: BlockReader, superblock: ThinSuperblock, devIds?: Iterable<number>): DumpedDevice[] {
  const { slab } = reader.blockManager;
  const roots: [id: number, root: number][] = [];
  const details = new Map<number, DeviceDetails>();
  walkTree(reader, superblock.dataMappingRoot, { valueSize: 8 }, ({ node }) => {
    if (!node.isLeaf) return;
    for (let i = 0; i < node.nrEntries; i++) roots.push([node.keyAt(i), readU64(slab, node.valueAt(i))]);
  });
  walkTree(reader, superblock.deviceDetailsRoot, { valueSize: DEVICE_DETAILS.size }, ({ node }) => {
    if (!node.isLeaf) return;
    for (let i = 0; i < node.nrEntries; i++) {
      details.set(node.keyAt(i), DEVICE_DETAILS_TYPE.read(slab, node.valueAt(i)));
    }
  });
  const wanted = devIds === undefined ? undefined : new Set(devIds);
  const devices = roots.map(([id, root]) => ({ id, root, details: details.get(id) }));
  const lacking = devices.find((device) => device.details === undefined)?.id;
  if (lacking !== undefined || devices.length !== details.size) {
    const which = lacking === undefined ? 'details of more devices' : `no details of thin device ${lacking}`;
    throw new CorruptionError(`Inconsistency between the details tree and the mapping tree: found ${which}`, {
      block: superblock.deviceDetailsRoot,
      kind: 'btree_node',
    });
  }
  return (devices as DumpedDevice[]).filter(({ id }) => wanted?.has(id) ?? true);
}
