/**
 * A thin pool and its model through commits, roll-backs and crashes, with all versions that somebody relies on: the one on the disk, the one on its
 * way, those of views. The device refuses to let go of what they refer to.
 */

import { NoSpaceError, StateError } from '../../packages/persistent-data/src/base/index.ts';
import type { ThinDevice } from '../../packages/persistent-data/src/thin/index.ts';
import { ThinMetadata } from '../../packages/persistent-data/src/thin/index.ts';
import type { ModelView } from './check-thin-model.ts';
import { expectThrown, fail, same } from './expectations.ts';
import { GuardedDevice } from './guarded-device.ts';
import type { Profile } from './thin-command.ts';
import { type ModelDevice, ModelPool } from './thin-model.ts';

/** Blocks in use, a byte each. */
interface Usage {
  readonly metadata: Uint8Array;
  readonly data: Uint8Array;
}

interface KeptView extends ModelView {
  readonly usage: Usage;
}

interface Handle {
  readonly id: number;
  readonly thin: ThinDevice;
  readonly device: ModelDevice;
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

export class ThinVersions {
  readonly device: GuardedDevice;
  readonly #options: { readonly cacheBlocks: number };
  pool: ThinMetadata;
  model: ModelPool;
  /** Devices that are open. */
  handles: Handle[] = [];
  views: KeptView[] = [];
  /** What the superblock on the disk says. */
  #durable: ModelPool;
  #durableUsage: Usage;
  /** A commit on its way: what it holds, and what of it has happened. */
  #inFlight:
    | { readonly model: ModelPool; readonly usage: Usage; readonly done: Promise<void>; written: boolean }
    | undefined;

  constructor({ nrDataBlocks, nrMetadataBlocks, cacheBlocks }: Profile) {
    this.device = new GuardedDevice(nrMetadataBlocks);
    this.#options = { cacheBlocks };
    this.pool = ThinMetadata.format(this.device, { cacheBlocks, nrDataBlocks, dataBlockSizeSectors: 128 });
    this.model = new ModelPool(nrDataBlocks, nrMetadataBlocks);
    this.#durable = this.model.clone();
    this.#durableUsage = usageOf(this.pool);
  }

  /** The version that the running transaction began with. */
  committedUsage(): Usage {
    return this.#inFlight?.usage ?? this.#durableUsage;
  }

  /** All versions besides that somebody relies on. */
  keptUsages(): Usage[] {
    return [this.#durableUsage, ...this.views.map(({ usage }) => usage)];
  }

  #guard(): void {
    this.device.guards.clear();
    for (const { metadata } of [this.committedUsage(), ...this.keptUsages()]) this.device.guards.add(metadata);
  }

  metadataSnapshot(kind: 'reserve' | 'release'): void {
    if (kind === 'release') {
      if (this.model.held === undefined) {
        expectThrown(() => this.pool.releaseMetadataSnapshot(), StateError);
        return;
      }
      this.pool.releaseMetadataSnapshot();
      this.model.held = undefined;
      return;
    }
    const isThere = this.model.held !== undefined;
    const before = dataCounts(this.pool);
    let failure: unknown;
    try {
      this.pool.reserveMetadataSnapshot();
    } catch (error) {
      failure = error;
    }
    this.#readDisk(before);
    if (isThere && failure instanceof StateError) return;
    if (failure !== undefined) throw failure;
    this.model.held = this.model.clone().devices;
  }

  /** After an operation that commits before it does anything else, or fails to: the disk knows whether it has. */
  #readDisk(countsBefore: readonly number[]): void {
    const disk = ThinMetadata.open(this.device.memory.fork(), this.#options);
    const { core, time, transactionId, needsCheck, nrMetadataBlocks } = disk;
    // All of it: a growth that only the model has would pass for a commit.
    const sizes = [core.dataSpaceMap.nrBlocksUncommitted, nrMetadataBlocks];
    const found = [disk.devices(), time, transactionId, needsCheck, disk.metadataSnapshot !== 0, sizes];
    const shows = (model: ModelPool) => {
      const { time, transactionId, needsCheck, held, nrDataBlocks, nrMetadataBlocks } = model;
      const sizes = [nrDataBlocks, nrMetadataBlocks];
      return same(found, [model.list(), time, transactionId, needsCheck, held !== undefined, sizes]);
    };
    if (shows(this.model) && same(dataCounts(disk), countsBefore)) this.#durable = this.model.clone();
    else if (!shows(this.#durable)) fail('the disk holds neither the last commit nor this one');
    this.#durableUsage = usageOf(disk);
    this.#guard();
  }

  commit(): void {
    this.pool.commit();
    this.#committed();
  }

  #committed(): void {
    this.#durable = this.model.clone();
    this.#durableUsage = usageOf(this.pool);
    this.#guard();
  }

  commitAsync(): void {
    if (!this.pool.changedThisTransaction) return;
    const done = this.pool.commitAsync();
    // Its failure is met where it is awaited.
    done.catch(() => undefined);
    const { broken } = this.pool.core.tm;
    if (broken !== undefined) throw broken;
    this.#inFlight = { model: this.model.clone(), usage: usageOf(this.pool), done, written: false };
    this.#guard();
  }

  /** Lets one or both flushes of a commit under way end. */
  async finish(count: number): Promise<void> {
    for (let i = 0; i < count && this.#inFlight !== undefined; i++) {
      const { model, usage, done, written } = this.#inFlight;
      await this.device.finishFlush();
      this.#inFlight.written = true;
      if (!written) continue;
      await done;
      this.#inFlight = undefined;
      this.#durable = model;
      this.#durableUsage = usage;
      this.#guard();
    }
  }

  rollback(): void {
    this.pool.rollback();
    this.model = (this.#inFlight?.model ?? this.#durable).clone();
    this.#forgetHandles();
  }

  /** Closes handles of devices that are gone or other ones; the rest stay good. */
  #forgetHandles(): void {
    this.handles = this.handles.filter(({ id, thin, device }) => {
      const now = this.model.devices.get(id);
      const isSame = now?.creationTime === device.creationTime && now.transactionId === device.transactionId;
      if (!isSame) thin.close();
      return isSame;
    });
  }

  reopen(): void {
    try {
      this.pool.close();
    } catch (error) {
      // Closing commits. Without space for that it ends all the same, with what was committed before.
      if (!(error instanceof NoSpaceError)) throw error;
      this.crash();
      return;
    }
    this.#committed();
    this.#openAgain();
  }

  /** The program ends without closing, with a commit under way perhaps. */
  crash(): void {
    const { model, usage, written } = this.#inFlight ?? {
      model: this.#durable,
      usage: this.#durableUsage,
      written: true,
    };
    this.device.abandon();
    if (written) {
      this.#durable = model;
      this.#durableUsage = usage;
    }
    this.#inFlight = undefined;
    this.model = this.#durable.clone();
    this.#openAgain();
  }

  #openAgain(): void {
    this.handles = [];
    this.views = [];
    this.#guard();
    this.pool = ThinMetadata.open(this.device, this.#options);
  }

  openView(): void {
    const model = (this.#inFlight?.model ?? this.#durable).clone();
    this.views.push({ view: this.pool.view(), model, usage: this.committedUsage() });
    this.#guard();
  }

  /** Closes a view. */
  closeView(index: number): void {
    this.views.splice(index, 1)[0]?.view.close();
    this.#guard();
  }
}
