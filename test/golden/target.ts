/**
 * A model of device-mapper with a thin pool: does to the metadata what Linux's target does for each command, one after the
 * other, without data (FORMAT-thin §6, ALGORITHMS §13.2).
 *
 * - write: look-up; unmapped or shared blocks get a new data block.
 * - flush: commits when that device changed.
 * - discard: every run is unmapped and its data blocks referenced, then all these references are dropped; without passdown
 *   the range is unmapped at once.
 * - message: the operation, then a commit; before a metadata snapshot is reserved another one.
 * - suspending, removing and asking the status of a pool commits; resuming one grows it.
 */

import type { ImageDevice } from './image-device.ts';
import type { MetadataFactory, TargetMetadata, TargetThin } from './metadata.ts';
import { type Command, type PoolTable, parsePoolTable } from './script.ts';

const SECTOR_SIZE = 512;
const SECTORS_PER_BLOCK = 8;
/** Offsets in the superblock of the block counts of both space maps, in bytes. */
const DATA_NR_BLOCKS = 64;
const METADATA_NR_BLOCKS = 192;

interface OpenThin {
  readonly thin: TargetThin;
  readonly lengthSectors: number;
}

/** The machine: one metadata disk, at most one pool, its open thin devices by their names. */
export class Target {
  readonly #disk: ImageDevice;
  readonly #factory: MetadataFactory;
  readonly #thins = new Map<string, OpenThin>();
  readonly #reloaded = new Map<string, string>();
  #pool: { readonly name: string; table: PoolTable; readonly metadata: TargetMetadata } | undefined;

  constructor(disk: ImageDevice, factory: MetadataFactory) {
    this.#disk = disk;
    this.#factory = factory;
  }

  /** Performs one command. */
  run(command: Command): void {
    switch (command.do) {
      case 'createPool':
        this.#createPool(command.name, command.table);
        break;
      case 'createThin':
        this.#createThin(command.name, command.id, command.lengthSectors);
        break;
      case 'createLinear':
        this.#disk.grow(command.lengthSectors / SECTORS_PER_BLOCK);
        break;
      case 'reload':
        this.#reloaded.set(command.name, command.table);
        break;
      case 'suspend':
      case 'status':
        this.#commitPool(command.name);
        break;
      case 'resume':
        this.#resume(command.name);
        break;
      case 'remove':
        this.#remove(command.name);
        break;
      case 'removeThins':
        for (const name of [...this.#thins.keys()].sort()) this.#remove(name);
        break;
      case 'message':
        this.#message(command.words);
        break;
      case 'write':
        for (const offset of command.offsetBytes) this.#write(command.name, offset, command.lengthBytes);
        break;
      case 'flush':
        this.#flush(command.name);
        break;
      case 'discard':
        this.#discard(command.name, command.offsetBytes, command.lengthBytes);
        break;
    }
  }

  get #blockBytes(): number {
    return this.#openPool.table.blockSectors * SECTOR_SIZE;
  }

  get #openPool() {
    if (this.#pool === undefined) throw new Error('no pool is open');
    return this.#pool;
  }

  #createPool(name: string, table: PoolTable): void {
    const dataBlockSizeSectors = table.blockSectors;
    const nrDataBlocks = Math.floor(table.lengthSectors / table.blockSectors);
    if (this.#disk.bytes.subarray(0, 4096).every((byte) => byte === 0)) {
      const metadata = this.#factory.format(this.#disk, { dataBlockSizeSectors, nrDataBlocks });
      this.#pool = { name, table, metadata };
      return;
    }
    this.#pool = { name, table, metadata: this.#factory.open(this.#disk, { dataBlockSizeSectors }) };
    this.#grow();
  }

  /** Grows both space maps to what the devices have become: data first, then metadata, then one commit for both. */
  #grow(): void {
    const { table, metadata } = this.#openPool;
    const superblock = new DataView(this.#disk.bytes.buffer, 0, 4096);
    const nrDataBlocks = Math.floor(table.lengthSectors / table.blockSectors);
    const growData = nrDataBlocks > Number(superblock.getBigUint64(DATA_NR_BLOCKS, true));
    const growMetadata = this.#disk.nrBlocks > Number(superblock.getBigUint64(METADATA_NR_BLOCKS, true));
    if (growData) metadata.resizeData(nrDataBlocks);
    if (growMetadata) metadata.resizeMetadata(this.#disk.nrBlocks);
    if (growData || growMetadata) metadata.commit();
  }

  #createThin(name: string, id: number, lengthSectors: number): void {
    this.#thins.set(name, { thin: this.#openPool.metadata.openThin(id), lengthSectors });
  }

  #commitPool(name: string): void {
    if (name === '' || name === this.#pool?.name) this.#pool?.metadata.commit();
  }

  #resume(name: string): void {
    const table = this.#reloaded.get(name)?.split(' ');
    this.#reloaded.delete(name);
    if (table?.[2] === 'linear') this.#disk.grow(Number(table[1]) / SECTORS_PER_BLOCK);
    if (name !== this.#pool?.name) return;
    if (table !== undefined) this.#pool.table = parsePoolTable(table);
    this.#grow();
  }

  #remove(name: string): void {
    const thin = this.#thins.get(name);
    if (thin !== undefined) {
      thin.thin.close();
      this.#thins.delete(name);
    } else if (name === this.#pool?.name) {
      this.#pool.metadata.commit();
      this.#pool.metadata.close();
      this.#pool = undefined;
    }
  }

  #message(words: readonly string[]): void {
    const { metadata } = this.#openPool;
    const [a, b] = [Number(words[1]), Number(words[2])];
    switch (words[0]) {
      case 'create_thin':
        metadata.createThin(a);
        break;
      case 'create_snap':
        metadata.createSnapshot({ snapshot: a, origin: b });
        break;
      case 'delete':
        metadata.deleteThin(a);
        break;
      case 'set_transaction_id':
        metadata.setTransactionId({ expected: a, next: b });
        break;
      case 'reserve_metadata_snap':
        metadata.commit();
        metadata.reserveMetadataSnapshot();
        break;
      case 'release_metadata_snap':
        metadata.releaseMetadataSnapshot();
        break;
      default:
        throw new Error(`unknown message ${words.join(' ')}`);
    }
    metadata.commit();
  }

  #opened(name: string): OpenThin {
    const open = this.#thins.get(name);
    if (open === undefined) throw new Error(`no thin device ${name} is open`);
    return open;
  }

  #write(name: string, offsetBytes: number, lengthBytes: number): void {
    const { thin } = this.#opened(name);
    const end = Math.ceil((offsetBytes + lengthBytes) / this.#blockBytes);
    for (let block = Math.floor(offsetBytes / this.#blockBytes); block < end; block += 1) {
      const found = thin.find(block);
      if (found === undefined || found.shared) thin.insert(block, this.#allocate());
    }
  }

  /** Commits before, to get back what was freed in this transaction, and after, before metadata's reserve is touched. */
  #allocate(): number {
    const { metadata } = this.#openPool;
    if (metadata.nrFreeData === 0) metadata.commit();
    const block = metadata.allocateDataBlock();
    if (metadata.nrFreeMetadata === 0) metadata.commit();
    return block;
  }

  #flush(name: string): void {
    if (this.#opened(name).thin.changedThisTransaction) this.#openPool.metadata.commit();
  }

  #discard(name: string, offsetBytes: number, lengthBytes?: number): void {
    const { table } = this.#openPool;
    const { thin, lengthSectors } = this.#opened(name);
    const endBytes = lengthBytes === undefined ? lengthSectors * SECTOR_SIZE : offsetBytes + lengthBytes;
    const begin = Math.ceil(offsetBytes / this.#blockBytes);
    const end = Math.floor(endBytes / this.#blockBytes);
    if (end <= begin || table.features.includes('ignore_discard')) return;
    if (table.features.includes('no_discard_passdown')) thin.removeRange(begin, end);
    else this.#discardWithPassdown(thin, begin, end);
  }

  #discardWithPassdown(thin: TargetThin, begin: number, end: number): void {
    const { metadata } = this.#openPool;
    const held: { begin: number; end: number }[] = [];
    for (let run = thin.findMappedRange(begin, end); run !== undefined; run = thin.findMappedRange(run.end, end)) {
      const data = { begin: run.dataBegin, end: run.dataBegin + run.end - run.begin };
      thin.removeRange(run.begin, run.end);
      metadata.incDataRange(data.begin, data.end);
      held.push(data);
      if (run.end >= end) break;
    }
    for (const data of held) metadata.decDataRange(data.begin, data.end);
  }
}
