/**
 * A second opinion on thin metadata: reads a whole pool in the plainest way, shares no code with the library but checksums, and says what it
 * holds and every rule that it breaks. Made for small pools and many of them: a millisecond for some hundred blocks.
 */

import { bitmapCount, ENTRIES_PER_BITMAP, THIN_MAGIC, THIN_SUPERBLOCK } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { type BlockUse, RawImage } from './raw-image.ts';

/** One mapping: virtual block, data block, time. */
export type AuditedMapping = readonly [virtualBlock: number, dataBlock: number, time: number];

export interface AuditedDevice {
  readonly id: number;
  readonly mappedBlocks: number;
  readonly transactionId: number;
  readonly creationTime: number;
  readonly snapshottedTime: number;
  readonly mappings: readonly AuditedMapping[];
}

/** What a pool says it holds. */
export interface AuditedPool {
  readonly flags: number;
  readonly time: number;
  readonly transactionId: number;
  readonly dataBlockSizeSectors: number;
  readonly nrDataBlocks: number;
  readonly nrMetadataBlocks: number;
  readonly devices: readonly AuditedDevice[];
  /** The devices of the metadata snapshot, if there is one. */
  readonly held: readonly AuditedDevice[] | undefined;
}

/** The result of {@link auditThin}. */
export interface ThinAudit {
  /** Broken rules, each as a sentence; none for a sound pool. */
  readonly problems: readonly string[];
  /** What it holds, as far as it could be read; `undefined` without a superblock. */
  readonly pool: AuditedPool | undefined;
  /** What each block that was reached is used as. */
  readonly uses: ReadonlyMap<number, BlockUse>;
  /** Nodes by what they belong to, root first. */
  readonly nodes: ReadonlyMap<TreeName, readonly number[]>;
}

/** The trees of a pool. `mappings` are the trees of single devices. */
export type TreeName = 'devices' | 'mappings' | 'details' | 'dataIndex' | 'dataCounts' | 'metadataCounts';

const VALUE_SIZE: Record<TreeName, number> = {
  devices: 8,
  mappings: 8,
  details: 24,
  dataIndex: 16,
  dataCounts: 4,
  metadataCounts: 4,
};

/** More would make a hostile image slow to read; a sound one of the sizes that this is made for has fewer. */
const MAX_PROBLEMS = 50;
const MAX_DEPTH = 16;
const MAX_ENTRIES = 2_000_000;

/** A leaf's entry: its key, and the word offset of its value. */
type Entry = readonly [key: number, at: number];

const field = (name: Parameters<typeof THIN_SUPERBLOCK.word>[0]): number => THIN_SUPERBLOCK.word(name);

class Auditor {
  readonly image: RawImage;
  readonly problems: string[] = [];
  readonly uses = new Map<number, BlockUse>();
  readonly nodes = new Map<TreeName, number[]>();
  /** References to metadata blocks, found. */
  readonly references: Uint32Array;
  readonly dataReferences = new Map<number, number>();
  readonly #entries = new Map<number, readonly Entry[]>();
  readonly #mappings = new Map<number, AuditedMapping[]>();
  /** Places of roots of devices that were followed. */
  readonly #followed = new Set<number>();
  readonly #heights = new Map<number, number>();
  #nrEntries = 0;
  nrDataBlocks = 0;

  constructor(device: BlockDevice) {
    this.image = new RawImage(device);
    this.references = new Uint32Array(device.nrBlocks);
  }

  say(text: string): void {
    if (this.problems.length < MAX_PROBLEMS) this.problems.push(text);
  }

  /** Counts a reference; true when the block can be looked at and was not before. */
  refer(block: number, use: BlockUse, from: string): boolean {
    if (!this.image.has(block)) {
      this.say(`${from} refers to block ${block}, which the device does not have`);
      return false;
    }
    (this.references[block] as number)++;
    const known = this.uses.get(block);
    if (known !== undefined) {
      if (known !== use) this.say(`${from} refers to block ${block} as ${use}, it is in use as ${known}`);
      return false;
    }
    this.uses.set(block, use);
    const problem = this.image.sealProblem(block, use);
    if (problem !== undefined) this.say(`${use} block ${block}, of ${from}: ${problem}`);
    return problem === undefined;
  }

  /** All entries of a tree's leaves, in order. Each node is looked at once, however often it is referred to. */
  tree(root: number, name: TreeName, low = 0, depth = 0): readonly Entry[] {
    const isNew = this.refer(root, 'node', `the tree of ${name}`);
    if (!isNew) return this.#entries.get(root) ?? [];
    const list = this.nodes.get(name) ?? [];
    this.nodes.set(name, list);
    list.push(root);
    // Set first: a cycle finds it empty and ends.
    this.#entries.set(root, []);
    const { image } = this;
    const base = image.load(root);
    const flags = image.u32(base, 1);
    const [nrEntries, maxEntries, valueSize] = [image.u32(base, 4), image.u32(base, 5), image.u32(base, 6)];
    const isLeaf = flags === 2;
    const wanted = isLeaf ? VALUE_SIZE[name] : 8;
    const bad = (text: string) => this.say(`node ${root} of ${name}: ${text}`);
    if (flags !== 1 && flags !== 2) bad(`flags are ${flags}`);
    else if (valueSize !== wanted) bad(`values have ${valueSize} bytes, not ${wanted}`);
    else if (maxEntries % 3 !== 0 || 32 + maxEntries * (8 + valueSize) > 4096) bad(`maxEntries is ${maxEntries}`);
    else if (nrEntries > maxEntries) bad(`nrEntries is ${nrEntries} of ${maxEntries}`);
    else if (!isLeaf && nrEntries === 0) bad('it is internal and empty');
    else if (depth > MAX_DEPTH) bad('it is too deep');
    else {
      const entries = this.#nodeEntries(root, name, low, depth, isLeaf);
      this.#entries.set(root, entries);
      return entries;
    }
    return [];
  }

  #nodeEntries(root: number, name: TreeName, low: number, depth: number, isLeaf: boolean): readonly Entry[] {
    const { image } = this;
    const base = image.load(root);
    const [nrEntries, maxEntries, valueSize] = [image.u32(base, 4), image.u32(base, 5), image.u32(base, 6)];
    const values = base + 8 + 2 * maxEntries;
    const entries: Entry[] = [];
    let before = -1;
    let height = 0;
    for (let i = 0; i < nrEntries; i++) {
      const key = image.u64(base, 8 + 2 * i);
      if (key <= before || key < low) this.say(`node ${root} of ${name}: key ${key} is out of order`);
      before = key;
      if (isLeaf) {
        entries.push([key, values + (i * valueSize) / 4]);
        continue;
      }
      const child = image.u64(values, 2 * i);
      const below = this.tree(child, name, key, depth + 1);
      this.#nrEntries += below.length;
      if (this.#nrEntries > MAX_ENTRIES) return entries;
      for (const entry of below) entries.push(entry);
      const childHeight = this.#heights.get(child) ?? 0;
      if (i > 0 && childHeight + 1 !== height) this.say(`node ${root} of ${name}: its children differ in height`);
      height = childHeight + 1;
    }
    this.#heights.set(root, height);
    return entries;
  }

  details(root: number): Map<number, AuditedDevice> {
    const { image } = this;
    const found = new Map<number, AuditedDevice>();
    for (const [id, at] of this.tree(root, 'details')) {
      const [mappedBlocks, transactionId] = [image.u64(at, 0), image.u64(at, 2)];
      const [creationTime, snapshottedTime] = [image.u32(at, 4), image.u32(at, 5)];
      found.set(id, { id, mappedBlocks, transactionId, creationTime, snapshottedTime, mappings: [] });
    }
    return found;
  }

  /** The mappings of the device whose root stands at word `at`: a place that two trees share refers to it once. */
  mappings(at: number): readonly AuditedMapping[] {
    const { image } = this;
    const root = image.u64(at, 0);
    const counted = this.#mappings.get(root);
    if (counted !== undefined && this.#followed.has(at)) return counted;
    this.#followed.add(at);
    const entries = this.tree(root, 'mappings');
    const known = this.#mappings.get(root);
    if (known !== undefined) return known;
    const mappings = entries.map(([block, value]): AuditedMapping => {
      const [low, high] = [image.u32(value, 0), image.u32(value, 1)];
      return [block, high * 256 + (low >>> 24), low & 0xff_ffff];
    });
    this.#mappings.set(root, mappings);
    return mappings;
  }

  /** The devices below one superblock. */
  devices(base: number): AuditedDevice[] {
    const { image } = this;
    const details = this.details(image.u64(base, field('deviceDetailsRoot')));
    const devices: AuditedDevice[] = [];
    for (const [id, at] of this.tree(image.u64(base, field('dataMappingRoot')), 'devices')) {
      const mappings = this.mappings(at);
      const own = details.get(id);
      details.delete(id);
      if (own === undefined) this.say(`device ${id} has no details`);
      else if (own.mappedBlocks !== mappings.length) {
        this.say(`device ${id} says ${own.mappedBlocks} blocks are mapped, ${mappings.length} are`);
      }
      const facts = own ?? { id, mappedBlocks: 0, transactionId: 0, creationTime: 0, snapshottedTime: 0 };
      devices.push({ ...facts, mappings });
    }
    for (const id of details.keys()) this.say(`there are details of device ${id}, and no such device`);
    return devices;
  }

  /** Counts references to data blocks: one for each entry of each leaf, however many share the leaf. */
  countData(): void {
    const { image } = this;
    for (const node of this.nodes.get('mappings') ?? []) {
      const base = image.load(node);
      const [flags, nrEntries, maxEntries] = [image.u32(base, 1), image.u32(base, 4), image.u32(base, 5)];
      if (flags !== 2 || nrEntries > maxEntries || 8 + maxEntries * 4 > 1024) continue;
      for (let i = 0; i < nrEntries; i++) {
        const at = base + 8 + 2 * maxEntries + 2 * i;
        const block = image.u32(at, 1) * 256 + (image.u32(at, 0) >>> 24);
        if (block >= this.nrDataBlocks) this.say(`node ${node} maps to data block ${block} of ${this.nrDataBlocks}`);
        this.dataReferences.set(block, (this.dataReferences.get(block) ?? 0) + 1);
      }
    }
  }

  /** Compares the counts of a space map with what was found. */
  compare(what: string, root: SpaceMap, wantedCount: (block: number) => number): void {
    const { image } = this;
    const large = new Map<number, number>();
    for (const [block, at] of root.counts) large.set(block, image.u32(at, 0));
    let nrAllocated = 0;
    root.index.forEach((at, index) => {
      const bitmap = image.u64(at, 0);
      if (!this.refer(bitmap, 'bitmap', `the index of the ${what} space map`)) return;
      const base = image.load(bitmap);
      const first = index * ENTRIES_PER_BITMAP;
      const end = Math.min(ENTRIES_PER_BITMAP, root.nrBlocks - first);
      let [used, firstFree] = [0, end];
      for (let bit = 0; bit < end; bit++) {
        const block = first + bit;
        let count = bitmapCount(image.words, base, bit);
        if (count === 0 && firstFree === end) firstFree = bit;
        if (count > 0) used++;
        if (count === 3) {
          count = large.get(block) ?? -1;
          large.delete(block);
          if (count < 3) this.say(`${what} block ${block} has a count in the tree of ${count}, at least 3 is wanted`);
        }
        const wanted = wantedCount(block);
        if (count !== wanted) this.say(`${what} block ${block} has a count of ${count}, and ${wanted} references`);
      }
      nrAllocated += used;
      const [nrFree, noneFreeBefore] = [image.u32(at, 2), image.u32(at, 3)];
      // A partly used bitmap is counted as a whole one, or (by old tools) to the end.
      if (nrFree !== ENTRIES_PER_BITMAP - used && nrFree !== end - used) {
        this.say(`${what} bitmap ${index} says ${nrFree} are free, ${end - used} are`);
      }
      if (noneFreeBefore > firstFree) {
        this.say(`${what} bitmap ${index} says that none is free before ${noneFreeBefore}, ${firstFree} is`);
      }
    });
    for (const block of large.keys()) this.say(`${what} block ${block} has a large count, and no such bits`);
    if (nrAllocated !== root.nrAllocated) {
      this.say(`the ${what} space map says ${root.nrAllocated} blocks are in use, ${nrAllocated} are`);
    }
  }

  /** The root of a space map at word `at`. `readIndex` gives the places of its index entries. */
  spaceMap(at: number, counts: TreeName, readIndex: (root: number, nrBitmaps: number) => number[]): SpaceMap {
    const { image } = this;
    const nrBlocks = image.u64(at, 0);
    const nrBitmaps = Math.ceil(nrBlocks / ENTRIES_PER_BITMAP);
    const index = readIndex(image.u64(at, 4), nrBitmaps);
    return { nrBlocks, nrAllocated: image.u64(at, 2), index, counts: this.tree(image.u64(at, 6), counts) };
  }
}

interface SpaceMap {
  readonly nrBlocks: number;
  readonly nrAllocated: number;
  /** Word offsets of the index entries. */
  readonly index: readonly number[];
  readonly counts: readonly Entry[];
}

/** Reads a whole pool: see the top of this file. Never throws for what the device holds. */
export function auditThin(device: BlockDevice): ThinAudit {
  const auditor = new Auditor(device);
  const { image, problems, uses, nodes } = auditor;
  const done = (pool?: AuditedPool): ThinAudit => ({ problems, pool, uses, nodes });
  if (image.nrBlocks === 0 || !auditor.refer(0, 'superblock', 'the device')) return done();
  const base = image.load(0);
  if (image.u64(base, field('magic')) !== THIN_MAGIC) {
    auditor.say('the magic number is wrong');
    return done();
  }
  const dataRoot = base + field('dataSpaceMapRoot');
  const metadataRoot = base + field('metadataSpaceMapRoot');
  auditor.nrDataBlocks = image.u64(dataRoot, 0);
  const devices = auditor.devices(base);
  let held: AuditedDevice[] | undefined;
  const heldRoot = image.u64(base, field('heldRoot'));
  if (heldRoot !== 0 && auditor.refer(heldRoot, 'superblock', 'the superblock')) {
    held = auditor.devices(image.load(heldRoot));
  }
  auditor.countData();

  const data = auditor.spaceMap(dataRoot, 'dataCounts', (root, nrBitmaps) => {
    const entries = auditor.tree(root, 'dataIndex');
    const sound = entries.length === nrBitmaps && entries.every(([key], i) => key === i);
    if (!sound) auditor.say(`the data index has ${entries.length} entries, ${nrBitmaps} are wanted`);
    return entries.map(([, at]) => at);
  });
  auditor.compare('data', data, (block) => auditor.dataReferences.get(block) ?? 0);

  const metadata = auditor.spaceMap(metadataRoot, 'metadataCounts', (root, nrBitmaps) => {
    if (nrBitmaps > 255) auditor.say(`the metadata index wants ${nrBitmaps} entries`);
    if (!auditor.refer(root, 'index', 'the superblock')) return [];
    return Array.from({ length: Math.min(255, nrBitmaps) }, (_, i) => image.load(root) + 4 + 4 * i);
  });
  if (metadata.nrBlocks > image.nrBlocks) {
    auditor.say(`the metadata space has ${metadata.nrBlocks} blocks, the device ${image.nrBlocks}`);
  }
  // The bitmaps are in use themselves, and looked at one by one: their references count before the first comparison.
  const references = auditor.references.slice();
  for (const at of metadata.index) {
    const bitmap = image.u64(at, 0);
    if (image.has(bitmap)) (references[bitmap] as number)++;
  }
  auditor.compare('metadata', metadata, (block) => references[block] ?? 0);

  return done({
    flags: image.u32(base, field('flags')),
    time: image.u32(base, field('time')),
    transactionId: image.u64(base, field('transId')),
    dataBlockSizeSectors: image.u32(base, field('dataBlockSize')),
    nrDataBlocks: data.nrBlocks,
    nrMetadataBlocks: metadata.nrBlocks,
    devices,
    held,
  });
}

/** A pool as text, the same for the same content, whichever blocks it lies in: one line for the pool and one for each device. */
export function describePool(pool: AuditedPool): string {
  const line = (device: AuditedDevice): string => {
    const { id, transactionId, creationTime, snapshottedTime, mappings } = device;
    return `${id} ${transactionId} ${creationTime} ${snapshottedTime}: ${mappings.map((m) => m.join('-')).join(' ')}`;
  };
  const { flags, time, transactionId, nrDataBlocks, nrMetadataBlocks, dataBlockSizeSectors } = pool;
  const head = `flags ${flags} time ${time} id ${transactionId} data ${nrDataBlocks}x${dataBlockSizeSectors} metadata ${nrMetadataBlocks}`;
  const held = pool.held === undefined ? [] : ['held', ...pool.held.map(line)];
  return [head, ...pool.devices.map(line), ...held].join('\n');
}
