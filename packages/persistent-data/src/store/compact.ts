import type { BlockDevice } from '../io/index.ts';
import { BlockCopy } from './block-copy.ts';
import type { Branch, NamedCollection } from './branch.ts';
import { NestedBuilder } from './bulk.ts';
import { isHidden, type StoreCore } from './core.ts';
import type { Engine } from './engine.ts';
import { SILENT } from './events.ts';
import { foldStore } from './fold.ts';
import { type OpenOptions, openEngine } from './open-store.ts';
import type { RawCollection } from './raw-collection.ts';
import { RawTree } from './raw-tree.ts';
import { TreeWalk } from './tree-walk.ts';

/**
 * Makes a compact copy of a store on an empty device and goes on with that. The engine has no transaction.
 *
 * @param replace - Puts the copy in the place of the store, atomically and durably. Called once the copy is durable and stands on its own;
 * the store itself was not changed. What it throws is thrown, and the engine goes on with what it had.
 */
export function compactOnto(engine: Engine, device: BlockDevice, options: OpenOptions, replace: () => void): void {
  const target = openEngine(device, { ...options, readOnly: false, create: true }, SILENT);
  copyStates(engine, target);
  foldStore(target);
  replace();
  engine.takeOver(target);
}

/**
 * Copies all states of a store into an empty one, in the order in which they were made. A tree of which there is only one version is built anew, with full
 * nodes; of which there are several, block by block, so that they share what they shared. Ids, names and times stay.
 *
 * The target is not committed. Reads each block in use once or twice.
 */
export function copyStates(source: Engine, target: Engine): void {
  const from = source.core;
  const to = target.core;
  const { uuid, createdMs } = source.superblock;
  target.disk.superblock = { ...target.superblock, uuid, createdMs };
  // What follows is not logged: only a checkpoint can make it durable.
  target.journal.overflow();
  const records = [...from.listSnapshots()].filter((record) => !isHidden(record));
  const branches = records.map(({ id }) => from.branch(id)!);
  const copier = new StateCopier(from, target, [...branches, from.head]);
  for (const [i, record] of records.entries()) {
    copier.copy(branches[i]!);
    to.nextSnapshot = record.id;
    to.head.parent = record.parent;
    target.ensureSpace();
    to.createSnapshot(to.head, record);
  }
  copier.copy(from.head);
  to.head.parent = from.head.parent;
  to.nextCollection = from.nextCollection;
  to.nextSnapshot = from.nextSnapshot;
}

/** Makes the target's head one state of the source after the other. */
class StateCopier {
  readonly #from: StoreCore;
  readonly #target: Engine;
  readonly #blocks: BlockCopy;
  /** Collections of which there are several versions. */
  readonly #versioned = new Set<number>();
  /** What the target's head is like now. */
  #before: Branch | undefined;

  constructor(from: StoreCore, target: Engine, branches: readonly Branch[]) {
    this.#from = from;
    this.#target = target;
    this.#blocks = new BlockCopy(from.tm, target.core.tm, () => target.ensureSpace());
    const roots = new Map<number, number>();
    for (const branch of branches) {
      for (const { id } of from.namesOf(branch).values()) {
        const { root } = this.#settled(branch, id);
        if ((roots.get(id) ?? root) !== root) this.#versioned.add(id);
        roots.set(id, root);
      }
    }
  }

  copy(branch: Branch): void {
    const from = this.#from;
    const { core } = this.#target;
    const now = from.namesOf(branch);
    const old = this.#before === undefined ? new Map<string, NamedCollection>() : from.namesOf(this.#before);
    for (const named of old.values()) {
      if (now.get(named.name)?.id === named.id) continue;
      this.#target.ensureSpace();
      core.deleteCollection(core.head, core.namesOf(core.head).get(named.name)!);
    }
    for (const named of now.values()) {
      const source = this.#settled(branch, named.id);
      const isKnown = old.get(named.name)?.id === named.id;
      if (isKnown && this.#settled(this.#before!, named.id).root === source.root) continue;
      this.#target.ensureSpace();
      this.#copyCollection(source, isKnown ? core.collection(core.head, named.id)! : this.#make(named, source));
    }
    this.#before = branch;
  }

  #settled(branch: Branch, id: number): RawCollection {
    const raw = this.#from.collection(branch, id)!;
    raw.settle();
    return raw;
  }

  #make({ id, name, schema }: NamedCollection, { kind, levels, valueSize }: RawCollection): RawCollection {
    const { core } = this.#target;
    core.nextCollection = id;
    return core.createCollection(core.head, { name, schema, kind, levels, valueSize });
  }

  #copyCollection(source: RawCollection, made: RawCollection): void {
    const { core } = this.#target;
    core.checkOut(made);
    const root =
      source instanceof RawTree && !this.#versioned.has(source.id)
        ? this.#build(source)
        : this.#blocks.copy(source.root, source.levels, source.kind === 'tree' ? 'values' : 'array blocks');
    // Only now: the new version may share blocks with this one.
    core.structures.delete(made);
    made.adopt(root, source);
  }

  #build(source: RawTree): number {
    const builder = new NestedBuilder(this.#target.core.tm, source.levels, source.valueSize);
    const walk = new TreeWalk();
    walk.begin(() => source, {});
    while (walk.next()) {
      this.#target.ensureSpace();
      builder.add(walk.keyHigh, walk.keyLow, source.slab, walk.valueAt);
    }
    return builder.finish();
  }
}
