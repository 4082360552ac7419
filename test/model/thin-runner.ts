/**
 * Plays commands on a thin pool and on its model, side by side, and compares the two after each: devices, mappings, clocks; every reference
 * count, against a plain walk of all that refers to a block; the shape of every tree. The device under the pool refuses to let go of what a
 * superblock on it refers to.
 */

import {
  type CorruptionError,
  NoSpaceError,
  PersistentDataError,
  StateError,
} from '../../packages/persistent-data/src/base/index.ts';
import type { ThinDevice, ThinView } from '../../packages/persistent-data/src/thin/index.ts';
import { ThinMetadata } from '../../packages/persistent-data/src/thin/index.ts';
import { checkPool } from '../structures/check-pool.ts';
import { PlainWalk } from '../structures/plain-walk.ts';
import { GuardedDevice } from './guarded-device.ts';
import { type ModelDevice, ModelPool } from './thin-model.ts';

/** A command is a kind and three numbers, which are taken modulo whatever there is. */
export interface Command {
  readonly kind: CommandKind;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

export type CommandKind =
  | 'create'
  | 'createTaken'
  | 'snapshot'
  | 'delete'
  | 'deleteOpen'
  | 'unknown'
  | 'open'
  | 'close'
  | 'insert'
  | 'insertMany'
  | 'insertShared'
  | 'remove'
  | 'removeAll'
  | 'allocate'
  | 'incData'
  | 'decData'
  | 'commit'
  | 'commitAsync'
  | 'finish'
  | 'rollback'
  | 'reopen'
  | 'crash'
  | 'reserve'
  | 'release'
  | 'growData'
  | 'shrinkData'
  | 'growMetadata'
  | 'shrinkMetadata'
  | 'transactionId'
  | 'needsCheck'
  | 'view'
  | 'closeView';

/** Sizes, and how the pool begins. */
export interface Profile {
  readonly nrMetadataBlocks: number;
  readonly nrDataBlocks: number;
  readonly cacheBlocks: number;
  /** Ids are taken below this. */
  readonly nrIds: number;
  /** Virtual blocks are taken below this. */
  readonly nrVirtualBlocks: number;
  /** Devices made, and mappings put into the first one, before the first command. */
  readonly devices?: number;
  readonly mappings?: number;
}

/** No operation on pools of these sizes allocates more metadata blocks than this. */
const MOST_USED = 40;

interface Usage {
  readonly metadata: Uint8Array;
  readonly data: Uint8Array;
}

interface OpenView {
  readonly view: ThinView;
  readonly model: ModelPool;
  readonly usage: Usage;
}

/** Blocks in use, in core. */
function usageOf({ core }: ThinMetadata): Usage {
  const { spaceMap, dataSpaceMap } = core;
  const nrData = dataSpaceMap.nrBlocksUncommitted;
  return {
    metadata: Uint8Array.from({ length: spaceMap.nrBlocks }, (_, b) => Math.min(spaceMap.getCount(b), 1)),
    data: Uint8Array.from({ length: nrData }, (_, b) => Math.min(dataSpaceMap.getCount(b), 1)),
  };
}

function dataCounts({ core: { dataSpaceMap } }: ThinMetadata): number[] {
  return Array.from({ length: dataSpaceMap.nrBlocksUncommitted }, (_, b) => dataSpaceMap.getCount(b));
}

function fail(text: string): never {
  throw new Error(text);
}

export class ThinRunner {
  readonly #profile: Profile;
  readonly #device: GuardedDevice;
  readonly #options: { readonly cacheBlocks: number };
  #pool: ThinMetadata;
  #model: ModelPool;
  /** What the superblock on the disk says. */
  #durable: ModelPool;
  #durableUsage: Usage;
  /** A commit on its way: what it holds, and what of it has happened. */
  #inFlight:
    | { readonly model: ModelPool; readonly usage: Usage; readonly done: Promise<void>; written: boolean }
    | undefined;
  #handles: { readonly id: number; readonly thin: ThinDevice; readonly device: ModelDevice }[] = [];
  #views: OpenView[] = [];
  /** Metadata blocks that were free before the last operation. */
  #nrFreeBefore = 0;

  constructor(profile: Profile) {
    const { nrDataBlocks, nrMetadataBlocks, cacheBlocks } = profile;
    this.#profile = profile;
    this.#device = new GuardedDevice(nrMetadataBlocks);
    this.#options = { cacheBlocks };
    this.#pool = ThinMetadata.format(this.#device, { cacheBlocks, nrDataBlocks, dataBlockSizeSectors: 128 });
    this.#model = new ModelPool(nrDataBlocks, nrMetadataBlocks);
    this.#durable = this.#model.clone();
    this.#durableUsage = usageOf(this.#pool);
    this.#begin();
  }

  #begin(): void {
    const { devices = 0, mappings = 0 } = this.#profile;
    for (let id = 0; id < devices; id++) {
      this.#pool.createThin(id);
      this.#model.create(id);
    }
    for (let i = 0; i < mappings; i++) this.#insertFresh(0, 3 * i);
    if (devices > 0) this.#commit();
    this.#check();
  }

  async run(command: Command): Promise<void> {
    this.#nrFreeBefore = this.#pool.core.spaceMap.nrFree;
    try {
      await this.#run(command);
    } catch (error) {
      if (!(error instanceof PersistentDataError)) throw error;
      this.#afterFailure(command, error);
    }
    this.#check();
  }

  /** Ends what is under way. */
  async end(): Promise<void> {
    await this.#finish(2);
    this.#reopen();
    this.#check();
  }

  /** What may fail without a fault of anybody: for lack of space, and then either nothing has changed or a rollback is due. */
  #afterFailure(command: Command, error: PersistentDataError): void {
    const { core } = this.#pool;
    const shown = `${JSON.stringify(command)}: ${error.message}`;
    if (!(error instanceof NoSpaceError)) fail(`an unexpected ${error.name} after ${shown}`);
    if (core.tm.broken === undefined) {
      if (error.space === 'metadata' && command.kind !== 'shrinkMetadata' && this.#pool.nrFreeMetadata > 0) {
        fail(`metadata is refused while there is some: ${shown}`);
      }
      if (error.space === 'data' && command.kind !== 'shrinkData') this.#expectNoFreeData(shown);
      return;
    }
    // A transaction can outgrow the reserve of so small a device. It must not happen with space to spare.
    if (this.#nrFreeBefore > MOST_USED)
      fail(`metadata space runs out with ${this.#nrFreeBefore} blocks free: ${shown}`);
    for (const use of [() => this.#pool.createThin(1), () => this.#pool.devices(), () => this.#pool.commit()]) {
      expectThrown(use, StateError);
    }
    this.#rollback();
  }

  #expectNoFreeData(shown: string): void {
    const { dataSpaceMap } = this.#pool.core;
    const kept = [this.#committedUsage(), ...this.#keptUsages()];
    for (let b = 0; b < dataSpaceMap.nrBlocksUncommitted; b++) {
      if (dataSpaceMap.getCount(b) === 0 && kept.every(({ data }) => (data[b] ?? 0) === 0)) {
        fail(`data block ${b} is free in all versions, and yet: ${shown}`);
      }
    }
  }

  /** The version that the running transaction began with. */
  #committedUsage(): Usage {
    return this.#inFlight?.usage ?? this.#durableUsage;
  }

  /** All versions besides that somebody relies on. */
  #keptUsages(): Usage[] {
    return [this.#durableUsage, ...this.#views.map(({ usage }) => usage)];
  }

  #guard(): void {
    this.#device.guards.clear();
    for (const { metadata } of [this.#committedUsage(), ...this.#keptUsages()]) this.#device.guards.add(metadata);
  }

  async #run(command: Command): Promise<void> {
    const { a, b, c } = command;
    switch (command.kind) {
      case 'commit':
        await this.#finish(2);
        this.#commit();
        return;
      case 'commitAsync':
        await this.#finish(2);
        this.#commitAsync();
        return;
      case 'finish':
        await this.#finish(1 + (a % 2));
        return;
      case 'rollback':
        this.#rollback();
        return;
      case 'reopen':
        await this.#finish(2);
        this.#reopen();
        return;
      case 'crash':
        this.#crash();
        return;
      case 'reserve':
      case 'release':
        await this.#finish(2);
        this.#metadataSnapshot(command.kind);
        return;
      default:
        this.#change(command.kind, a, b, c);
    }
  }

  #change(kind: Exclude<CommandKind, AsyncKind>, a: number, b: number, c: number): void {
    const ids = [...this.#model.devices.keys()];
    const id = ids[a % ids.length] ?? 0;
    const fresh = this.#freshId(a);
    const begin = b % this.#profile.nrVirtualBlocks;
    switch (kind) {
      case 'create':
        if (fresh === undefined) return;
        this.#pool.createThin(fresh);
        this.#model.create(fresh);
        return;
      case 'createTaken':
        if (ids.length === 0) return;
        expectThrown(() => this.#pool.createThin(id), StateError);
        expectThrown(() => this.#pool.createSnapshot({ snapshot: id, origin: ids[b % ids.length]! }), StateError);
        return;
      case 'snapshot':
        if (fresh === undefined || ids.length === 0) return;
        this.#snapshot(fresh, ids[b % ids.length]!);
        return;
      case 'delete':
        if (ids.length === 0 || this.#handles.some((handle) => handle.id === id)) return;
        this.#pool.deleteThin(id);
        this.#model.devices.delete(id);
        return;
      case 'deleteOpen':
        if (this.#handles.length > 0) this.#expectOpen(this.#handles[a % this.#handles.length]!.id);
        return;
      case 'unknown':
        if (fresh !== undefined) this.#expectUnknown(fresh);
        return;
      case 'open':
        if (ids.length > 0 && this.#handles.length < 6) this.#open(id);
        return;
      case 'close':
        this.#handles.splice(a % (this.#handles.length + 1), 1)[0]?.thin.close();
        return;
      case 'insert':
        if (ids.length > 0) this.#insertFresh(id, begin);
        return;
      case 'insertMany':
        for (let i = 0; ids.length > 0 && i <= c; i++)
          this.#insertFresh(id, (begin + i) % this.#profile.nrVirtualBlocks);
        return;
      case 'insertShared':
        if (ids.length > 0) this.#insertShared(id, ids[b % ids.length]!, begin, c);
        return;
      case 'remove':
        if (ids.length > 0) this.#remove(id, begin, begin + 4 * c);
        return;
      case 'removeAll':
        if (ids.length > 0) this.#remove(id, 0, this.#profile.nrVirtualBlocks);
        return;
      default:
        this.#changePool(kind, a, b, c);
    }
  }

  #changePool(kind: Exclude<CommandKind, AsyncKind | DeviceKind>, a: number, b: number, c: number): void {
    const pool = this.#pool;
    const model = this.#model;
    switch (kind) {
      case 'allocate':
        this.#allocate();
        return;
      case 'incData':
        this.#incData(b % model.nrDataBlocks, c);
        return;
      case 'decData':
        this.#decData(a);
        return;
      case 'growData':
        pool.resizeData(model.nrDataBlocks + c);
        model.nrDataBlocks += c;
        return;
      case 'shrinkData':
        pool.resizeData(Math.max(1, model.nrDataBlocks - c));
        model.nrDataBlocks = Math.max(1, model.nrDataBlocks - c);
        return;
      case 'growMetadata':
        pool.resizeMetadata(model.nrMetadataBlocks + c);
        model.nrMetadataBlocks += c;
        return;
      case 'shrinkMetadata':
        pool.resizeMetadata(Math.max(20, model.nrMetadataBlocks - c));
        model.nrMetadataBlocks = Math.max(20, model.nrMetadataBlocks - c);
        return;
      case 'transactionId':
        expectThrown(() => pool.setTransactionId({ expected: model.transactionId + 1, next: 0 }), StateError);
        pool.setTransactionId({ expected: model.transactionId, next: model.transactionId + a });
        model.transactionId += a;
        return;
      case 'needsCheck':
        pool.setNeedsCheck(a % 2 === 0);
        model.needsCheck = a % 2 === 0;
        return;
      case 'view':
        if (this.#views.length < 3) this.#view();
        return;
      case 'closeView':
        this.#views.splice(a % (this.#views.length + 1), 1)[0]?.view.close();
        this.#guard();
        return;
      default:
        kind satisfies never;
    }
  }

  #freshId(a: number): number | undefined {
    const { nrIds } = this.#profile;
    for (let i = 0; i < nrIds; i++) {
      const id = (a + i) % nrIds;
      if (!this.#model.devices.has(id)) return id;
    }
    return undefined;
  }

  #snapshot(snapshot: number, origin: number): void {
    this.#pool.createSnapshot({ snapshot, origin });
    this.#model.snapshot(snapshot, this.#model.devices.get(origin)!);
  }

  #expectOpen(id: number): void {
    expectThrown(() => this.#pool.deleteThin(id), StateError);
  }

  #expectUnknown(id: number): void {
    expectThrown(() => this.#pool.openThin(id), StateError);
    expectThrown(() => this.#pool.deleteThin(id), StateError);
    const another = this.#freshId(id + 1);
    if (another !== undefined) {
      expectThrown(() => this.#pool.createSnapshot({ snapshot: another, origin: id }), StateError);
    }
    if (this.#pool.hasThin(id)) fail(`there is a device ${id}`);
  }

  #open(id: number): void {
    this.#handles.push({ id, thin: this.#pool.openThin(id), device: this.#model.devices.get(id)! });
  }

  /** Does something with a device that may be open already. */
  #with<R>(id: number, work: (thin: ThinDevice) => R): R {
    const open = this.#handles.find((handle) => handle.id === id);
    if (open) return work(open.thin);
    const thin = this.#pool.openThin(id);
    try {
      return work(thin);
    } finally {
      thin.close();
    }
  }

  /** A data block for the test itself, which is free in every version that anybody relies on. */
  #allocate(): number {
    const { dataSpaceMap } = this.#pool.core;
    const block = this.#pool.allocateDataBlock();
    if (block >= this.#model.nrDataBlocks) fail(`data block ${block} is beyond the end`);
    if (dataSpaceMap.getCount(block) !== 1) fail(`data block ${block} is handed out, its count was not 0`);
    for (const { data } of [this.#committedUsage(), ...this.#keptUsages()]) {
      if ((data[block] ?? 0) > 0) fail(`data block ${block} is handed out, and a version that is kept uses it`);
    }
    this.#model.addOwned(block, 1);
    return block;
  }

  #insertFresh(id: number, virtualBlock: number): void {
    const block = this.#allocate();
    this.#insert(id, virtualBlock, block);
  }

  /** Maps a block of which the test owns a reference, which passes on. */
  #insert(id: number, virtualBlock: number, dataBlock: number): void {
    this.#nrFreeBefore = this.#pool.core.spaceMap.nrFree;
    this.#with(id, (thin) => thin.insert(virtualBlock, dataBlock));
    this.#model.addOwned(dataBlock, -1);
    this.#model.devices.get(id)?.mappings.set(virtualBlock, { dataBlock, time: this.#model.time });
  }

  /** Maps blocks of another device, or its own, once more. */
  #insertShared(id: number, from: number, begin: number, count: number): void {
    const { mappings } = this.#model.devices.get(from)!;
    const blocks = [...mappings.values()].slice(0, 1 + (count % 8)).map(({ dataBlock }) => dataBlock);
    for (const [i, block] of blocks.entries()) {
      const virtualBlock = (begin + i) % this.#profile.nrVirtualBlocks;
      const old = this.#model.devices.get(id)?.mappings.get(virtualBlock);
      // Over a mapping to the same block nothing is counted: no reference passes on.
      if (old?.dataBlock === block) continue;
      this.#pool.incDataRange(block, block + 1);
      this.#model.addOwned(block, 1);
      this.#insert(id, virtualBlock, block);
    }
  }

  #remove(id: number, begin: number, end: number): void {
    const { mappings } = this.#model.devices.get(id)!;
    const gone = [...mappings.keys()].filter((key) => key >= begin && key < end);
    const removed = this.#with(id, (thin) => thin.removeRange(begin, end));
    if (removed !== gone.length) fail(`${removed} mappings were removed, there were ${gone.length}`);
    for (const key of gone) mappings.delete(key);
  }

  #incData(begin: number, count: number): void {
    const end = Math.min(begin + (count % 8), this.#model.nrDataBlocks);
    // A block that is free may be used by a version that is kept: whoever incs it without allocating it has to know better.
    for (let b = begin; b < end; b++) if (this.#pool.dataBlockCount(b) === 0) return;
    this.#pool.incDataRange(begin, end);
    for (let b = begin; b < end; b++) this.#model.addOwned(b, 1);
  }

  #decData(a: number): void {
    const blocks = [...this.#model.owned.keys()];
    const block = blocks[a % blocks.length];
    if (block === undefined) return;
    this.#pool.decDataRange(block, block + 1);
    this.#model.addOwned(block, -1);
  }

  #metadataSnapshot(kind: 'reserve' | 'release'): void {
    if (kind === 'release') {
      if (this.#model.held === undefined) {
        expectThrown(() => this.#pool.releaseMetadataSnapshot(), StateError);
        return;
      }
      this.#pool.releaseMetadataSnapshot();
      this.#model.held = undefined;
      return;
    }
    const isThere = this.#model.held !== undefined;
    const before = dataCounts(this.#pool);
    let failure: unknown;
    try {
      this.#pool.reserveMetadataSnapshot();
    } catch (error) {
      failure = error;
    }
    this.#readDisk(before);
    if (isThere && failure instanceof StateError) return;
    if (failure !== undefined) throw failure;
    this.#model.held = this.#model.clone().devices;
  }

  /** After an operation that commits before it does anything else, or fails to: the disk knows whether it has. */
  #readDisk(countsBefore: readonly number[]): void {
    const disk = ThinMetadata.open(this.#device.memory.fork(), this.#options);
    const { core, time, transactionId, needsCheck, nrMetadataBlocks } = disk;
    // All of it: a growth that only the model has would pass for a commit.
    const sizes = [core.dataSpaceMap.nrBlocksUncommitted, nrMetadataBlocks];
    const found = [disk.devices(), time, transactionId, needsCheck, disk.metadataSnapshot !== 0, sizes];
    const shows = (model: ModelPool) => {
      const { time, transactionId, needsCheck, held, nrDataBlocks, nrMetadataBlocks } = model;
      const sizes = [nrDataBlocks, nrMetadataBlocks];
      return same(found, [model.list(), time, transactionId, needsCheck, held !== undefined, sizes]);
    };
    if (shows(this.#model) && same(dataCounts(disk), countsBefore)) this.#durable = this.#model.clone();
    else if (!shows(this.#durable)) fail('the disk holds neither the last commit nor this one');
    this.#durableUsage = usageOf(disk);
    this.#guard();
  }

  #commit(): void {
    this.#pool.commit();
    this.#committed();
  }

  #committed(): void {
    this.#durable = this.#model.clone();
    this.#durableUsage = usageOf(this.#pool);
    this.#guard();
  }

  #commitAsync(): void {
    if (!this.#pool.changedThisTransaction) return;
    const done = this.#pool.commitAsync();
    // Its failure is met where it is awaited.
    done.catch(() => undefined);
    const { broken } = this.#pool.core.tm;
    if (broken !== undefined) throw broken;
    this.#inFlight = { model: this.#model.clone(), usage: usageOf(this.#pool), done, written: false };
    this.#guard();
  }

  /** Lets one or both flushes of a commit under way end. */
  async #finish(count: number): Promise<void> {
    for (let i = 0; i < count && this.#inFlight !== undefined; i++) {
      const { model, usage, done, written } = this.#inFlight;
      await this.#device.finishFlush();
      this.#inFlight.written = true;
      if (!written) continue;
      await done;
      this.#inFlight = undefined;
      this.#durable = model;
      this.#durableUsage = usage;
      this.#guard();
    }
  }

  #rollback(): void {
    this.#pool.rollback();
    this.#model = (this.#inFlight?.model ?? this.#durable).clone();
    this.#forgetHandles();
  }

  /** Closes handles of devices that are gone or other ones; the rest stay good. */
  #forgetHandles(): void {
    this.#handles = this.#handles.filter(({ id, thin, device }) => {
      const now = this.#model.devices.get(id);
      const isSame = now?.creationTime === device.creationTime && now.transactionId === device.transactionId;
      if (!isSame) thin.close();
      return isSame;
    });
  }

  #reopen(): void {
    try {
      this.#pool.close();
    } catch (error) {
      // Closing commits. Without space for that it ends all the same, with what was committed before.
      if (!(error instanceof NoSpaceError)) throw error;
      this.#crash();
      return;
    }
    this.#committed();
    this.#openAgain();
  }

  /** The program ends without closing, with a commit under way perhaps. */
  #crash(): void {
    const { model, usage, written } = this.#inFlight ?? {
      model: this.#durable,
      usage: this.#durableUsage,
      written: true,
    };
    this.#device.abandon();
    if (written) {
      this.#durable = model;
      this.#durableUsage = usage;
    }
    this.#inFlight = undefined;
    this.#model = this.#durable.clone();
    this.#openAgain();
  }

  #openAgain(): void {
    this.#handles = [];
    this.#views = [];
    this.#guard();
    this.#pool = ThinMetadata.open(this.#device, this.#options);
  }

  #view(): void {
    const model = (this.#inFlight?.model ?? this.#durable).clone();
    this.#views.push({ view: this.#pool.view(), model, usage: this.#committedUsage() });
    this.#guard();
  }

  #check(): void {
    const pool = this.#pool;
    const model = this.#model;
    const isCommitted = !pool.changedThisTransaction;
    checkPool(pool, this.#device, { isCommitted, ownedData: model.owned });
    const { time, transactionId, needsCheck, nrDataBlocks, nrMetadataBlocks } = model;
    const found = [
      pool.time,
      pool.transactionId,
      pool.needsCheck,
      pool.core.dataSpaceMap.nrBlocksUncommitted,
      pool.nrMetadataBlocks,
    ];
    expectSame(found, [time, transactionId, needsCheck, nrDataBlocks, nrMetadataBlocks], 'the pool');
    expectSame(pool.devices(), model.list(), 'the devices');
    expectSame(pool.metadataSnapshot !== 0, model.held !== undefined, 'the metadata snapshot');
    const walk = new PlainWalk(pool.core.blockManager, this.#device);
    const roots = new Map(walk.entries(pool.core.mappingRoot));
    for (const [id, { mappings }] of model.devices) compareMappings(walk, id, roots.get(id), mappings);
    this.#checkViews();
  }

  #checkViews(): void {
    for (const { view, model } of this.#views) {
      for (const device of view.devices()) {
        const wanted = model.devices.get(device.id) ?? fail(`a view shows device ${device.id}, which it had not`);
        expectSame(device.mappedBlocks, wanted.mappings.size, 'a device of a view');
        for (const [key, { dataBlock, time }] of [...wanted.mappings].slice(0, 3)) {
          expectSame(
            view.find(device, key),
            { dataBlock, shared: wanted.snapshottedTime > time },
            'a mapping of a view',
          );
        }
      }
    }
  }
}

type AsyncKind = 'commit' | 'commitAsync' | 'finish' | 'rollback' | 'reopen' | 'crash' | 'reserve' | 'release';
type DeviceKind =
  | 'create'
  | 'createTaken'
  | 'snapshot'
  | 'delete'
  | 'deleteOpen'
  | 'unknown'
  | 'open'
  | 'close'
  | 'insert'
  | 'insertMany'
  | 'insertShared'
  | 'remove'
  | 'removeAll';

function compareMappings(walk: PlainWalk, id: number, root: bigint | undefined, wanted: ModelDevice['mappings']): void {
  if (root === undefined) fail(`device ${id} has no tree`);
  const found = walk.entries(Number(root));
  if (found.length !== wanted.size) fail(`device ${id} maps ${found.length} blocks, ${wanted.size} are wanted`);
  for (const [key, value] of found) {
    const mapping = wanted.get(key) ?? fail(`device ${id} maps block ${key}, which it should not`);
    const packed = (BigInt(mapping.dataBlock) << 24n) | BigInt(mapping.time);
    if (value !== packed) fail(`device ${id} maps block ${key} to ${value}, ${packed} is wanted`);
  }
}

function same(found: unknown, wanted: unknown): boolean {
  return JSON.stringify(found) === JSON.stringify(wanted);
}

function expectSame(found: unknown, wanted: unknown, what: string): void {
  if (!same(found, wanted)) fail(`${what}: ${JSON.stringify(found)} is found, ${JSON.stringify(wanted)} is wanted`);
}

function expectThrown(use: () => unknown, kind: typeof StateError | typeof CorruptionError): void {
  try {
    use();
  } catch (error) {
    if (error instanceof kind) return;
    throw error;
  }
  fail(`a ${kind.name} was expected`);
}
