/**
 * Thin metadata as plain maps: what is mapped where, without blocks, trees or a disk. With it the parser and the target are shown
 * to be right on their own, and a fault of the library is told from one of theirs.
 */

import type { MappedRange, TargetMetadata, TargetThin } from './metadata.ts';
import type { Mapping, WalkedPool } from './walk.ts';

interface ModelDevice {
  readonly id: number;
  readonly transactionId: number;
  readonly creationTime: number;
  snapshottedTime: number;
  changed: boolean;
  nrOpen: number;
  readonly mappings: Map<number, { readonly dataBlock: number; readonly time: number }>;
}

/** See the module comment. Data blocks are chosen as the kernel's data space map does (ALGORITHMS §7). */
export class ModelMetadata implements TargetMetadata {
  readonly #devices = new Map<number, ModelDevice>();
  /** Devices of the metadata snapshot: they keep their data blocks in use. */
  #held: ModelDevice[] = [];
  readonly #counts: number[] = [];
  #committed: readonly number[] = [];
  #nrDataBlocks: number;
  #nrUsed = 0;
  #cursor = 0;
  #time = 0;
  #transactionId = 0;
  readonly #dataBlockSizeSectors: number;

  constructor(options: { readonly dataBlockSizeSectors: number; readonly nrDataBlocks: number }) {
    this.#dataBlockSizeSectors = options.dataBlockSizeSectors;
    this.#nrDataBlocks = options.nrDataBlocks;
  }

  createThin(id: number): void {
    this.#make(id, this.#time, new Map());
  }

  createSnapshot(options: { readonly snapshot: number; readonly origin: number }): void {
    const origin = this.#device(options.origin);
    this.#time += 1;
    this.#make(options.snapshot, this.#time, new Map(origin.mappings));
    this.#count(origin, 1);
    origin.snapshottedTime = this.#time;
  }

  #make(id: number, creationTime: number, mappings: ModelDevice['mappings']): void {
    if (this.#devices.has(id)) throw new Error(`device ${id} exists already`);
    const times = { creationTime, snapshottedTime: creationTime };
    this.#devices.set(id, { id, transactionId: this.#transactionId, ...times, changed: false, nrOpen: 0, mappings });
  }

  #device(id: number): ModelDevice {
    const device = this.#devices.get(id);
    if (device === undefined) throw new Error(`device ${id} does not exist`);
    return device;
  }

  #count(device: ModelDevice, change: number): void {
    for (const { dataBlock } of device.mappings.values()) this.#add(dataBlock, change);
  }

  #add(dataBlock: number, change: number): void {
    const before = this.#counts[dataBlock] ?? 0;
    this.#counts[dataBlock] = before + change;
    this.#nrUsed += Math.sign(before + change) - Math.sign(before);
  }

  get nrFreeData(): number {
    return this.#nrDataBlocks - this.#nrUsed;
  }

  /** A model has no metadata device to fill. */
  get nrFreeMetadata(): number {
    return Number.POSITIVE_INFINITY;
  }

  deleteThin(id: number): void {
    const device = this.#device(id);
    if (device.nrOpen > 0) throw new Error(`device ${id} is open`);
    this.#count(device, -1);
    this.#devices.delete(id);
  }

  openThin(id: number): TargetThin {
    const device = this.#device(id);
    device.nrOpen += 1;
    return {
      find: (virtualBlock) => {
        const found = device.mappings.get(virtualBlock);
        return found && { dataBlock: found.dataBlock, shared: device.snapshottedTime > found.time };
      },
      insert: (virtualBlock, dataBlock) => {
        this.#drop(device, virtualBlock);
        device.mappings.set(virtualBlock, { dataBlock, time: this.#time });
        device.changed = true;
      },
      removeRange: (begin, end) => {
        for (let block = begin; block < end; block += 1) this.#drop(device, block);
        device.changed = true;
      },
      findMappedRange: (begin, end) => findRange(device, begin, end),
      get changedThisTransaction() {
        return device.changed;
      },
      close: () => {
        device.nrOpen -= 1;
      },
    };
  }

  #drop(device: ModelDevice, virtualBlock: number): void {
    const old = device.mappings.get(virtualBlock);
    if (old === undefined) return;
    this.#add(old.dataBlock, -1);
    device.mappings.delete(virtualBlock);
  }

  allocateDataBlock(): number {
    for (const begin of [this.#cursor, 0]) {
      for (let block = begin; block < this.#nrDataBlocks; block += 1) {
        if (this.#counts[block] || this.#committed[block]) continue;
        this.#cursor = block + 1;
        this.#add(block, 1);
        return block;
      }
    }
    throw new Error('no data block is free');
  }

  incDataRange(begin: number, end: number): void {
    for (let block = begin; block < end; block += 1) this.#add(block, 1);
  }

  decDataRange(begin: number, end: number): void {
    for (let block = begin; block < end; block += 1) this.#add(block, -1);
  }

  resizeData(nrDataBlocks: number): void {
    this.#nrDataBlocks = nrDataBlocks;
  }

  resizeMetadata(): void {}

  setTransactionId(options: { readonly expected: number; readonly next: number }): void {
    if (options.expected !== this.#transactionId) throw new Error(`transaction id is ${this.#transactionId}`);
    this.#transactionId = options.next;
  }

  reserveMetadataSnapshot(): void {
    this.#held = [...this.#devices.values()].map((device) => ({ ...device, mappings: new Map(device.mappings) }));
    for (const device of this.#held) this.#count(device, 1);
  }

  releaseMetadataSnapshot(): void {
    for (const device of this.#held) this.#count(device, -1);
    this.#held = [];
  }

  commit(): void {
    this.#committed = [...this.#counts];
    for (const device of this.#devices.values()) device.changed = false;
  }

  /** Closing forgets the allocation cursor; the rest of the model stays, to be opened again. */
  close(): void {
    this.commit();
    this.#cursor = 0;
  }

  /** What a walk of the metadata device would find. */
  state(): WalkedPool {
    const devices = [...this.#devices.values()].sort((a, b) => a.id - b.id);
    return {
      time: this.#time,
      transactionId: this.#transactionId,
      nrDataBlocks: this.#nrDataBlocks,
      dataBlockSizeSectors: this.#dataBlockSizeSectors,
      devices: devices.map(({ id, transactionId, creationTime, snapshottedTime, mappings }) => ({
        ...{ id, mappedBlocks: mappings.size, transactionId, creationTime, snapshottedTime },
        mappings: [...mappings].map(([key, at]): Mapping => [key, at.dataBlock, at.time]).sort((a, b) => a[0] - b[0]),
      })),
    };
  }
}

/** The first run at or after `begin`: both block numbers advance by one, and all are equally shared. */
function findRange(device: ModelDevice, begin: number, end: number): MappedRange | undefined {
  const at = (block: number) => device.mappings.get(block);
  let first = begin;
  while (first < end && at(first) === undefined) first += 1;
  const head = at(first);
  if (first >= end || head === undefined) return undefined;
  const maybeShared = device.snapshottedTime > head.time;
  let last = first + 1;
  for (let next = at(last); last < end && next !== undefined; next = at(last)) {
    const follows = next.dataBlock === head.dataBlock + last - first;
    if (!follows || device.snapshottedTime > next.time !== maybeShared) break;
    last += 1;
  }
  return { begin: first, end: last, dataBegin: head.dataBlock, maybeShared };
}
