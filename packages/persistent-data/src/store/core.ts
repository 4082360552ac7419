import { CorruptionError, StateError, type U64 } from '../base/index.ts';
import type { BlockManager } from '../block-manager/index.ts';
import { Btree, range } from '../btree/index.ts';
import {
  createMetadata,
  type KeptVersions,
  type Metadata,
  type MetadataSpaceMap,
  openMetadata,
} from '../disk-space-map/index.ts';
import { STORE_SNAPSHOT_HIDDEN } from '../format/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import { Branch, type NamedCollection } from './branch.ts';
import {
  type Descriptor,
  descriptorType,
  NAME_TYPE,
  type NameRecord,
  type SnapshotRecord,
  snapshotType,
  writeDescriptor,
  writeSnapshotRoots,
} from './catalogue.ts';
import type { RawCollection } from './raw-collection.ts';
import { type Structures, structuresOf } from './structures.ts';
import type { StoreSuperblock } from './superblock.ts';

/** The branch of the store itself, as against those of its snapshots. */
export const HEAD = 0;

/** What a new collection is. */
export interface NewCollection extends NameRecord {
  readonly kind: Descriptor['kind'];
  readonly levels: number;
  readonly valueSize: number;
}

/** What a new snapshot is. */
export interface NewSnapshot {
  readonly name: string;
  readonly createdMs: number;
  readonly flags: number;
}

/**
 * The state of a store in core, from one opening of a checkpoint to the next: space map, catalogue, snapshots, branches. A rollback throws it
 * away, opens another, and replays the journal on it. Everything here is what redo operations do; nothing is logged here.
 */
export class StoreCore {
  readonly tm: TransactionManager;
  readonly spaceMap: MetadataSpaceMap;
  readonly structures: Structures;
  readonly catalogue: Btree<Descriptor>;
  readonly names: Btree<NameRecord>;
  readonly snapshots: Btree<SnapshotRecord>;
  readonly #branches = new Map<number, Branch>();
  #snapshotIds: Map<string, number> | undefined;
  snapshotsRoot = 0;
  nextCollection = 1;
  nextSnapshot = 1;
  /** Collections that were checked out in an earlier epoch have to be checked out again before they are changed. */
  epoch = 0;

  private constructor({ tm, spaceMap }: Metadata) {
    this.tm = tm;
    this.spaceMap = spaceMap;
    this.structures = structuresOf(tm);
    this.catalogue = new Btree(tm, {
      valueType: descriptorType(tm, (descriptor) => this.structures.delete(descriptor)),
    });
    this.names = new Btree(tm, { valueType: NAME_TYPE });
    this.snapshots = new Btree(tm, {
      valueType: snapshotType((record) => this.#deleteState(record.catalogueRoot, record.namesRoot)),
    });
  }

  /** Makes an empty store on a blank device, whose first `nrReserved` blocks are in use for ever. Not committed. */
  static create(blockManager: BlockManager, nrReserved: number, kept: KeptVersions): StoreCore {
    const core = new StoreCore(createMetadata(blockManager, { nrReserved, kept }));
    const roots = { catalogueRoot: core.catalogue.empty(), namesRoot: core.names.empty(), parent: 0 };
    core.snapshotsRoot = core.snapshots.empty();
    core.#branches.set(HEAD, new Branch(HEAD, 'the store', roots));
    return core;
  }

  /** Opens what a superblock says. */
  static open(blockManager: BlockManager, superblock: StoreSuperblock, kept: KeptVersions): StoreCore {
    const core = new StoreCore(openMetadata(blockManager, superblock.spaceMapRoot, kept));
    const { catalogueRoot, namesRoot, headParent: parent } = superblock;
    core.#branches.set(HEAD, new Branch(HEAD, 'the store', { catalogueRoot, namesRoot, parent }));
    core.snapshotsRoot = superblock.snapshotsRoot;
    core.nextCollection = superblock.nextCollection;
    core.nextSnapshot = superblock.nextSnapshot;
    return core;
  }

  get head(): Branch {
    return this.#branches.get(HEAD)!;
  }

  /** The branch of this id, loaded now if it was not; `undefined` when there is none. */
  branch(id: number): Branch | undefined {
    const known = this.#branches.get(id);
    if (known !== undefined) return known;
    const record = this.snapshots.lookup(this.snapshotsRoot, id);
    if (record === undefined) return undefined;
    const branch = new Branch(id, `snapshot "${record.name}"`, record);
    this.#branches.set(id, branch);
    return branch;
  }

  /** All collections of a branch, by name. */
  namesOf(branch: Branch): Map<string, NamedCollection> {
    return branch.names(() => this.#readNames(branch));
  }

  *#readNames(branch: Branch): Generator<NamedCollection> {
    for (const [id, record] of range(this.names, branch.namesRoot)) {
      yield { id: idOf(id, 'store_name'), ...record };
    }
  }

  /** A collection of a branch, loaded now if it was not; `undefined` when there is none. */
  collection(branch: Branch, id: number): RawCollection | undefined {
    const known = branch.loaded.get(id);
    if (known !== undefined) return known;
    const descriptor = this.catalogue.lookup(branch.catalogueRoot, id);
    if (descriptor === undefined) return undefined;
    const raw = this.structures.load(branch.id, id, descriptor);
    branch.loaded.set(id, raw);
    return raw;
  }

  /** Makes the catalogue's leaf of a collection the branch's own, so that the collection's structure may be changed. */
  checkOut(raw: RawCollection): void {
    if (raw.epoch === this.epoch) return;
    const branch = this.#loadedBranch(raw.branchId);
    this.#overwrite(branch, raw, () => undefined);
    raw.epoch = this.epoch;
    branch.dirty.add(raw);
  }

  /** Makes a collection, and answers its id. */
  createCollection(branch: Branch, spec: NewCollection): RawCollection {
    const id = this.nextCollection++;
    const { name, schema, kind, levels, valueSize } = spec;
    const root = this.structures.empty(spec);
    const descriptor: Descriptor = { kind, root, count: 0, length: 0, levels, valueSize };
    const names = this.namesOf(branch);
    branch.catalogueRoot = this.catalogue.insert(branch.catalogueRoot, id, descriptor);
    branch.namesRoot = this.names.insert(branch.namesRoot, id, { name, schema });
    this.#markChanged(branch);
    names.set(name, { id, name, schema });
    const raw = this.structures.load(branch.id, id, descriptor);
    branch.loaded.set(id, raw);
    return raw;
  }

  /** Deletes a collection of this branch. Costs as many blocks as no snapshot shares. */
  deleteCollection(branch: Branch, { id, name }: NamedCollection): void {
    const names = this.namesOf(branch);
    this.#storeDirty(branch);
    branch.loaded.delete(id);
    branch.catalogueRoot = this.catalogue.remove(branch.catalogueRoot, id);
    branch.namesRoot = this.names.remove(branch.namesRoot, id);
    this.#markChanged(branch);
    names.delete(name);
  }

  /** Makes a snapshot of a branch, and answers its id. O(1): the snapshot and the branch share everything. */
  createSnapshot(branch: Branch, spec: NewSnapshot): number {
    const id = this.nextSnapshot++;
    this.#storeDirty(branch);
    this.tm.inc(branch.catalogueRoot);
    this.tm.inc(branch.namesRoot);
    // What is shared now has to be checked out again before it is changed.
    this.epoch++;
    const { catalogueRoot, namesRoot } = branch;
    const parent = branch.id === HEAD ? branch.parent : branch.id;
    this.snapshotsRoot = this.snapshots.insert(this.snapshotsRoot, id, { ...spec, catalogueRoot, namesRoot, parent });
    if (isHidden(spec)) return id;
    this.#snapshotIds?.set(spec.name, id);
    if (branch.id === HEAD) branch.parent = id;
    return id;
  }

  /** Deletes a snapshot. Costs as many blocks as nobody else shares. */
  deleteSnapshot(id: number): void {
    const branch = this.#branches.get(id);
    if (branch !== undefined) this.#storeRoots(branch);
    this.#branches.delete(id);
    const name = this.#snapshotIds && this.snapshots.lookup(this.snapshotsRoot, id)?.name;
    if (name !== undefined && this.#snapshotIds?.get(name) === id) this.#snapshotIds.delete(name);
    this.snapshotsRoot = this.snapshots.remove(this.snapshotsRoot, id);
  }

  /** Makes the head what a snapshot is. Costs as many blocks of the head's state until now as nobody else shares. */
  restore(source: Branch): void {
    const old = this.head;
    this.#storeDirty(source);
    this.#storeDirty(old);
    const { catalogueRoot, namesRoot } = source;
    this.tm.inc(catalogueRoot);
    this.tm.inc(namesRoot);
    this.epoch++;
    this.#branches.set(HEAD, new Branch(HEAD, 'the store', { catalogueRoot, namesRoot, parent: source.id }));
    this.#deleteState(old.catalogueRoot, old.namesRoot);
  }

  /** The id of the snapshot of this name, if there is one that is not hidden. Reads them all at the first call. */
  findSnapshot(name: string): number | undefined {
    if (this.#snapshotIds === undefined) {
      this.#snapshotIds = new Map();
      for (const record of this.listSnapshots()) if (!isHidden(record)) this.#snapshotIds.set(record.name, record.id);
    }
    return this.#snapshotIds.get(name);
  }

  /** All snapshots, by id; hidden ones too. */
  *listSnapshots(): Generator<SnapshotRecord & { readonly id: number }> {
    for (const [id, record] of range(this.snapshots, this.snapshotsRoot)) {
      yield { id: idOf(id, 'store_snapshot'), ...record };
    }
  }

  /** Brings everything that is held back in core into the trees, so that the roots say it all. A new epoch begins. */
  storeAll(): void {
    for (const branch of this.#branches.values()) this.#storeRoots(branch);
    this.epoch++;
  }

  #loadedBranch(id: number): Branch {
    const branch = this.#branches.get(id);
    if (branch === undefined) throw new StateError(`Cannot change a collection: snapshot ${id} is not there any more`);
    return branch;
  }

  #storeRoots(branch: Branch): void {
    this.#storeDirty(branch);
    if (branch.id === HEAD || !branch.rootsChanged) return;
    branch.rootsChanged = false;
    const { slab } = this.tm.blockManager;
    this.#overwriteSnapshot(branch, (at) => writeSnapshotRoots(slab, at, branch));
  }

  #storeDirty(branch: Branch): void {
    const { slab } = this.tm.blockManager;
    for (const raw of branch.dirty) {
      raw.settle();
      this.#overwrite(branch, raw, (at) => writeDescriptor(slab, at, raw));
      raw.epoch = -1;
    }
    branch.dirty.clear();
  }

  #overwrite(branch: Branch, raw: RawCollection, change: (at: number) => void): void {
    const root = this.catalogue.overwrite(branch.catalogueRoot, raw.id, change);
    if (root === undefined) throw new StateError(`Cannot change collection ${raw.id}: it is not there any more`);
    branch.catalogueRoot = root;
    this.#markChanged(branch);
  }

  /** The branch's roots change. Its leaf of the tree of snapshots is shadowed now, so that a checkpoint need not find space for it. */
  #markChanged(branch: Branch): void {
    if (branch.id !== HEAD && !branch.rootsChanged) this.#overwriteSnapshot(branch, () => undefined);
    branch.rootsChanged = true;
  }

  #overwriteSnapshot(branch: Branch, change: (at: number) => void): void {
    const root = this.snapshots.overwrite(this.snapshotsRoot, branch.id, change);
    if (root === undefined) throw new StateError(`Cannot change snapshot ${branch.id}: it is not there any more`);
    this.snapshotsRoot = root;
  }

  #deleteState(catalogueRoot: number, namesRoot: number): void {
    this.catalogue.delete(catalogueRoot);
    this.names.delete(namesRoot);
  }
}

/** A key as an id. @throws {CorruptionError} when it is none. */
function idOf(key: U64, kind: string): number {
  const id = Number(key);
  if (id >= 1 && id < 2 ** 32) return id;
  throw new CorruptionError(`Cannot read ${kind}: its id is ${key}, 1 to 2^32 - 1 is wanted`, { kind, found: key });
}

/** Whether a snapshot is a reader's view. */
export function isHidden({ flags }: Pick<SnapshotRecord, 'flags'>): boolean {
  return (flags & STORE_SNAPSHOT_HIDDEN) !== 0;
}
