/** Changes a thin pool and its model alike: devices, mappings, data blocks that the test itself owns, sizes. */

import { StateError } from '../../packages/persistent-data/src/base/index.ts';
import type { ThinDevice } from '../../packages/persistent-data/src/thin/index.ts';
import { expectThrown, fail } from './expectations.ts';
import type { DeviceKind, PoolKind, Profile } from './thin-command.ts';
import type { ThinVersions } from './thin-versions.ts';

export class ThinChanges {
  readonly #versions: ThinVersions;
  readonly #profile: Profile;
  /** Metadata blocks that were free before the last operation. */
  nrFreeBefore = 0;

  constructor(versions: ThinVersions, profile: Profile) {
    this.#versions = versions;
    this.#profile = profile;
  }

  /** Does a command to both. What makes no sense where it stands is skipped. */
  change(kind: DeviceKind | PoolKind, a: number, b: number, c: number): void {
    const ids = [...this.#versions.model.devices.keys()];
    const id = ids[a % ids.length] ?? 0;
    const fresh = this.#freshId(a);
    const begin = b % this.#profile.nrVirtualBlocks;
    switch (kind) {
      case 'create':
        if (fresh === undefined) return;
        this.#versions.pool.createThin(fresh);
        this.#versions.model.create(fresh);
        return;
      case 'createTaken':
        if (ids.length === 0) return;
        expectThrown(() => this.#versions.pool.createThin(id), StateError);
        expectThrown(
          () => this.#versions.pool.createSnapshot({ snapshot: id, origin: ids[b % ids.length]! }),
          StateError,
        );
        return;
      case 'snapshot':
        if (fresh === undefined || ids.length === 0) return;
        this.#snapshot(fresh, ids[b % ids.length]!);
        return;
      case 'delete':
        if (ids.length === 0 || this.#versions.handles.some((handle) => handle.id === id)) return;
        this.#versions.pool.deleteThin(id);
        this.#versions.model.devices.delete(id);
        return;
      case 'deleteOpen':
        if (this.#versions.handles.length > 0)
          this.#expectOpen(this.#versions.handles[a % this.#versions.handles.length]!.id);
        return;
      case 'unknown':
        if (fresh !== undefined) this.#expectUnknown(fresh);
        return;
      case 'open':
        if (ids.length > 0 && this.#versions.handles.length < 6) this.#open(id);
        return;
      case 'close':
        this.#versions.handles.splice(a % (this.#versions.handles.length + 1), 1)[0]?.thin.close();
        return;
      case 'insert':
        if (ids.length > 0) this.insertFresh(id, begin);
        return;
      case 'insertMany':
        for (let i = 0; ids.length > 0 && i <= c; i++)
          this.insertFresh(id, (begin + i) % this.#profile.nrVirtualBlocks);
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

  #changePool(kind: PoolKind, a: number, b: number, c: number): void {
    const pool = this.#versions.pool;
    const model = this.#versions.model;
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
        if (this.#versions.views.length < 3) this.#versions.openView();
        return;
      case 'closeView':
        this.#versions.closeView(a % (this.#versions.views.length + 1));
        return;
      default:
        kind satisfies never;
    }
  }

  #freshId(a: number): number | undefined {
    const { nrIds } = this.#profile;
    for (let i = 0; i < nrIds; i++) {
      const id = (a + i) % nrIds;
      if (!this.#versions.model.devices.has(id)) return id;
    }
    return undefined;
  }

  #snapshot(snapshot: number, origin: number): void {
    this.#versions.pool.createSnapshot({ snapshot, origin });
    this.#versions.model.snapshot(snapshot, this.#versions.model.devices.get(origin)!);
  }

  #expectOpen(id: number): void {
    expectThrown(() => this.#versions.pool.deleteThin(id), StateError);
  }

  #expectUnknown(id: number): void {
    expectThrown(() => this.#versions.pool.openThin(id), StateError);
    expectThrown(() => this.#versions.pool.deleteThin(id), StateError);
    const another = this.#freshId(id + 1);
    if (another !== undefined) {
      expectThrown(() => this.#versions.pool.createSnapshot({ snapshot: another, origin: id }), StateError);
    }
    if (this.#versions.pool.hasThin(id)) fail(`there is a device ${id}`);
  }

  #open(id: number): void {
    this.#versions.handles.push({
      id,
      thin: this.#versions.pool.openThin(id),
      device: this.#versions.model.devices.get(id)!,
    });
  }

  /** Does something with a device that may be open already. */
  #with<R>(id: number, work: (thin: ThinDevice) => R): R {
    const open = this.#versions.handles.find((handle) => handle.id === id);
    if (open) return work(open.thin);
    const thin = this.#versions.pool.openThin(id);
    try {
      return work(thin);
    } finally {
      thin.close();
    }
  }

  /** A data block for the test itself, which is free in every version that anybody relies on. */
  #allocate(): number {
    const { dataSpaceMap } = this.#versions.pool.core;
    const block = this.#versions.pool.allocateDataBlock();
    if (block >= this.#versions.model.nrDataBlocks) fail(`data block ${block} is beyond the end`);
    if (dataSpaceMap.getCount(block) !== 1) fail(`data block ${block} is handed out, its count was not 0`);
    for (const { data } of [this.#versions.committedUsage(), ...this.#versions.keptUsages()]) {
      if ((data[block] ?? 0) > 0) fail(`data block ${block} is handed out, and a version that is kept uses it`);
    }
    this.#versions.model.addOwned(block, 1);
    return block;
  }

  /** Maps a block that is allocated for it. */
  insertFresh(id: number, virtualBlock: number): void {
    const block = this.#allocate();
    this.#insert(id, virtualBlock, block);
  }

  /** Maps a block of which the test owns a reference, which passes on. */
  #insert(id: number, virtualBlock: number, dataBlock: number): void {
    this.nrFreeBefore = this.#versions.pool.core.spaceMap.nrFree;
    this.#with(id, (thin) => thin.insert(virtualBlock, dataBlock));
    this.#versions.model.addOwned(dataBlock, -1);
    this.#versions.model.devices.get(id)?.mappings.set(virtualBlock, { dataBlock, time: this.#versions.model.time });
  }

  /** Maps blocks of another device, or its own, once more. */
  #insertShared(id: number, from: number, begin: number, count: number): void {
    const { mappings } = this.#versions.model.devices.get(from)!;
    const blocks = [...mappings.values()].slice(0, 1 + (count % 8)).map(({ dataBlock }) => dataBlock);
    for (const [i, block] of blocks.entries()) {
      const virtualBlock = (begin + i) % this.#profile.nrVirtualBlocks;
      const old = this.#versions.model.devices.get(id)?.mappings.get(virtualBlock);
      // Over a mapping to the same block nothing is counted: no reference passes on.
      if (old?.dataBlock === block) continue;
      this.#versions.pool.incDataRange(block, block + 1);
      this.#versions.model.addOwned(block, 1);
      this.#insert(id, virtualBlock, block);
    }
  }

  #remove(id: number, begin: number, end: number): void {
    const { mappings } = this.#versions.model.devices.get(id)!;
    const gone = [...mappings.keys()].filter((key) => key >= begin && key < end);
    const removed = this.#with(id, (thin) => thin.removeRange(begin, end));
    if (removed !== gone.length) fail(`${removed} mappings were removed, there were ${gone.length}`);
    for (const key of gone) mappings.delete(key);
  }

  #incData(begin: number, count: number): void {
    const end = Math.min(begin + (count % 8), this.#versions.model.nrDataBlocks);
    // A block that is free may be used by a version that is kept: whoever incs it without allocating it has to know better.
    for (let b = begin; b < end; b++) if (this.#versions.pool.dataBlockCount(b) === 0) return;
    this.#versions.pool.incDataRange(begin, end);
    for (let b = begin; b < end; b++) this.#versions.model.addOwned(b, 1);
  }

  #decData(a: number): void {
    const blocks = [...this.#versions.model.owned.keys()];
    const block = blocks[a % blocks.length];
    if (block === undefined) return;
    this.#versions.pool.decDataRange(block, block + 1);
    this.#versions.model.addOwned(block, -1);
  }
}
