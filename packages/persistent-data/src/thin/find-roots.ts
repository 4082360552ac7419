import { CorruptionError, Slab, type U64 } from '../base/index.ts';
import { BlockScanner } from '../disk-space-map/index.ts';
import {
  METADATA_BLOCK_SIZE,
  NODE_VALIDATOR,
  NodeView,
  SUPERBLOCK_LOCATION,
  THIN_SUPERBLOCK_VALIDATOR,
  WORDS_PER_BLOCK,
} from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { DEVICE_DETAILS_TYPE, type DeviceDetails } from './device-details.ts';
import { leavesOf, loadNodes } from './leaf-list.ts';
import { MAX_DEVICE_ID } from './pool-core.ts';
import { readThinSuperblock, type ThinSuperblock } from './superblock.ts';
import { addTimes, TreeSummaries, type TreeSummary } from './tree-summary.ts';

/** A root of a list of devices that all of their mappings can be read below. */
export interface MappingCandidate {
  readonly block: number;
  /** By device id: the root of its mappings, and what is there. */
  readonly devices: ReadonlyMap<number, { readonly root: number; readonly summary: TreeSummary }>;
  readonly nrMappings: number;
  readonly highestMapped: number;
  /** The newest time of a mapping. */
  readonly age: number;
  readonly times: ReadonlyMap<number, number>;
}

/** A root of a list of details that can be read as a whole. */
export interface DetailsCandidate {
  readonly block: number;
  readonly devices: ReadonlyMap<number, DeviceDetails>;
  /** What the details say. */
  readonly nrMappings: number;
  readonly maxTransaction: U64;
  /** The newest time in it. */
  readonly age: number;
}

/** Two roots that agree on the devices and on the mappings of each. */
export interface RootPair {
  readonly mapping: MappingCandidate;
  readonly details: DetailsCandidate;
}

/** What was found on a device. */
export interface FoundRoots {
  /** Of block 0, if that can be believed. */
  readonly superblock: ThinSuperblock | undefined;
  /** Blocks whose checksum says that they are nodes. */
  readonly nrNodes: number;
  /** Newest first. */
  readonly mapping: readonly MappingCandidate[];
  /** In order of blocks. */
  readonly details: readonly DetailsCandidate[];
  /** Newest first. The roots of the superblock come first, if they are whole. */
  readonly pairs: readonly RootPair[];
}

/** How to look. */
export interface FindRootsOptions {
  /** Called now and then with the blocks read so far. */
  readonly onProgress?: (done: number, total: number) => void;
}

const RUN_BLOCKS = 256;
const DETAILS_SIZE = DEVICE_DETAILS_TYPE.size;

/**
 * Finds every generation of a pool's roots that is still whole on a device: those of the superblock, and those that no commit has overwritten yet.
 * Reads the whole device once, and the trees once more. Never throws for what the device holds.
 */
export function findRoots(device: BlockDevice, options: FindRootsOptions = {}): FoundRoots {
  const nodes = scanNodes(device, options);
  const scanner = new BlockScanner(device);
  const superblock = readSuperblock(scanner);
  const mapping = mappingCandidates(scanner, nodes.plain);
  const details = detailsCandidates(scanner, nodes.details);
  const pairs = pairRoots(mapping, details);
  const current = pairs.findIndex(
    ({ mapping: m, details: d }) => m.block === superblock?.dataMappingRoot && d.block === superblock.deviceDetailsRoot,
  );
  if (current > 0) pairs.unshift(...pairs.splice(current, 1));
  return { superblock, nrNodes: nodes.nrNodes, mapping, details, pairs };
}

/** Nodes that may be roots. */
interface ScannedNodes {
  nrNodes: number;
  /** Internal ones, and leaves with values of 8 bytes. */
  readonly plain: number[];
  /** Internal ones, and leaves with values of 24 bytes. */
  readonly details: number[];
}

function scanNodes(device: BlockDevice, { onProgress }: FindRootsOptions): ScannedNodes {
  const slab = Slab.ofSize(Math.min(RUN_BLOCKS, device.nrBlocks) * METADATA_BLOCK_SIZE);
  const node = new NodeView(slab);
  const found: ScannedNodes = { nrNodes: 0, plain: [], details: [] };
  for (let begin = 0; begin < device.nrBlocks; begin += RUN_BLOCKS) {
    const count = Math.min(RUN_BLOCKS, device.nrBlocks - begin);
    readRun(device, begin, slab.bytes.subarray(0, count * METADATA_BLOCK_SIZE));
    for (let i = 0; i < count; i++) {
      node.base = i * WORDS_PER_BLOCK;
      if (slab.words[node.base] === 0 || !isNode(slab, node.base, begin + i)) continue;
      found.nrNodes++;
      if (mayListDevices(node, device.nrBlocks)) found.plain.push(begin + i);
      if (!node.isLeaf || node.valueSize === DETAILS_SIZE) found.details.push(begin + i);
    }
    onProgress?.(begin + count, device.nrBlocks);
  }
  return found;
}

/** Reads block by block where a run cannot be read; what cannot is zeros. */
function readRun(device: BlockDevice, begin: number, bytes: Uint8Array): void {
  try {
    device.read(begin, [bytes]);
  } catch {
    for (let at = 0; at < bytes.length; at += METADATA_BLOCK_SIZE) {
      const block = bytes.subarray(at, at + METADATA_BLOCK_SIZE);
      try {
        device.read(begin + at / METADATA_BLOCK_SIZE, [block]);
      } catch {
        block.fill(0);
      }
    }
  }
}

function isNode(slab: Slab, base: number, block: number): boolean {
  try {
    NODE_VALIDATOR.check(slab, base, block);
    return true;
  } catch (error) {
    if (error instanceof CorruptionError) return false;
    throw error;
  }
}

/** Whether a node may be at the top of a list of devices: ids as keys, block numbers as values. Rules nearly all nodes of mappings out. */
function mayListDevices(node: NodeView, nrBlocks: number): boolean {
  const { nrEntries } = node;
  if (node.valueSize !== 8 || nrEntries === 0 || node.keyAt(nrEntries - 1) > MAX_DEVICE_ID) return false;
  for (let i = 0; i < nrEntries; i++) {
    const child = node.childAt(i);
    if (child === 0 || child >= nrBlocks) return false;
  }
  return true;
}

function readSuperblock(scanner: BlockScanner): ThinSuperblock | undefined {
  if (scanner.device.nrBlocks === 0) return undefined;
  scanner.loadOne(SUPERBLOCK_LOCATION);
  if (scanner.problem(0, SUPERBLOCK_LOCATION, THIN_SUPERBLOCK_VALIDATOR) !== undefined) return undefined;
  return readThinSuperblock(scanner.slab, scanner.base(0));
}

/** Gives the entries of a tree's leaves; false when something is not believable. */
function readEntries(
  scanner: BlockScanner,
  root: number,
  valueSize: number,
  visit: (node: NodeView, index: number) => boolean,
): number[] | undefined {
  try {
    const { blocks } = leavesOf(scanner, root, valueSize);
    const node = new NodeView(scanner.slab);
    let last = -1;
    for (const block of blocks) {
      loadNodes(scanner, [block]);
      node.base = scanner.base(0);
      if (!node.isLeaf || node.valueSize !== valueSize) return undefined;
      for (let i = 0; i < node.nrEntries; i++) {
        const key = node.keyAt(i);
        if (key <= last || key > MAX_DEVICE_ID || !visit(node, i)) return undefined;
        last = key;
      }
    }
    return blocks;
  } catch (error) {
    if (error instanceof CorruptionError) return undefined;
    throw error;
  }
}

function mappingCandidates(scanner: BlockScanner, blocks: readonly number[]): MappingCandidate[] {
  const summaries = new TreeSummaries(new BlockScanner(scanner.device));
  const candidates: MappingCandidate[] = [];
  /** Leaves of larger lists: not lists of their own. */
  const inner = new Set<number>();
  for (const block of blocks) {
    const roots = new Map<number, number>();
    const leaves = readEntries(scanner, block, 8, (node, i) => {
      const root = node.childAt(i);
      // Nodes of mappings end here as a rule, at their first entry.
      if (root === 0 || root >= scanner.device.nrBlocks) return false;
      roots.set(node.keyAt(i), root);
      return true;
    });
    if (leaves === undefined || roots.size === 0) continue;
    const candidate = summarizeDevices(block, roots, summaries);
    if (candidate === undefined) continue;
    candidates.push(candidate);
    if (leaves[0] !== block) for (const leaf of leaves) inner.add(leaf);
  }
  return candidates.filter(({ block }) => !inner.has(block)).sort(byTimes);
}

function summarizeDevices(
  block: number,
  roots: ReadonlyMap<number, number>,
  summaries: TreeSummaries,
): MappingCandidate | undefined {
  const devices = new Map<number, { root: number; summary: TreeSummary }>();
  const times = new Map<number, number>();
  let nrMappings = 0;
  let highestMapped = 0;
  for (const [id, root] of roots) {
    const summary = root === block ? undefined : summaries.of(root);
    if (summary === undefined) return undefined;
    devices.set(id, { root, summary });
    nrMappings += summary.nrMappings;
    highestMapped = Math.max(highestMapped, summary.highestMapped);
    addTimes(times, summary.times);
  }
  const age = [...times.keys()].reduce((newest, time) => Math.max(newest, time), 0);
  return { block, devices, nrMappings, highestMapped, age, times };
}

/** Newest first: who has more of the newest time, then of the one before. Among equals more devices, then the higher block. */
function byTimes(a: MappingCandidate, b: MappingCandidate): number {
  const newestFirst = (times: ReadonlyMap<number, number>) => [...times].sort(([s], [t]) => t - s);
  const [left, right] = [newestFirst(a.times), newestFirst(b.times)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [time = -1, count = 0] = left[i] ?? [];
    const [otherTime = -1, otherCount = 0] = right[i] ?? [];
    if (time !== otherTime) return otherTime - time;
    if (count !== otherCount) return otherCount - count;
  }
  return b.devices.size - a.devices.size || b.block - a.block;
}

function detailsCandidates(scanner: BlockScanner, blocks: readonly number[]): DetailsCandidate[] {
  const candidates: DetailsCandidate[] = [];
  const inner = new Set<number>();
  for (const block of blocks) {
    const devices = new Map<number, DeviceDetails>();
    const leaves = readEntries(scanner, block, DETAILS_SIZE, (node, i) => {
      devices.set(node.keyAt(i), DEVICE_DETAILS_TYPE.read(node.slab, node.valueAt(i)));
      return true;
    });
    if (leaves === undefined) continue;
    if (leaves[0] !== block) for (const leaf of leaves) inner.add(leaf);
    let nrMappings = 0;
    let maxTransaction: U64 = 0;
    let age = 0;
    for (const details of devices.values()) {
      nrMappings += details.mappedBlocks;
      if (details.transactionId > maxTransaction) maxTransaction = details.transactionId;
      age = Math.max(age, details.creationTime, details.snapshottedTime);
    }
    candidates.push({ block, devices, nrMappings, maxTransaction, age });
  }
  return candidates.filter(({ block }) => !inner.has(block));
}

function pairRoots(mapping: readonly MappingCandidate[], details: readonly DetailsCandidate[]): RootPair[] {
  const bySize = new Map<string, DetailsCandidate[]>();
  const size = (nrDevices: number, nrMappings: number): string => `${nrDevices} ${nrMappings}`;
  for (const candidate of details) {
    const key = size(candidate.devices.size, candidate.nrMappings);
    const others = bySize.get(key);
    if (others === undefined) bySize.set(key, [candidate]);
    else others.push(candidate);
  }
  return mapping.flatMap((m) => {
    const fitting = (bySize.get(size(m.devices.size, m.nrMappings)) ?? []).filter((d) => fit(m, d));
    return fitting.map((d) => ({ mapping: m, details: d }));
  });
}

function fit(mapping: MappingCandidate, details: DetailsCandidate): boolean {
  for (const [id, { summary }] of mapping.devices) {
    if (details.devices.get(id)?.mappedBlocks !== summary.nrMappings) return false;
  }
  return true;
}
