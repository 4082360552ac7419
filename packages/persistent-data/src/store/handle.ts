import { CorruptionError, ReadOnlyError } from '../base/index.ts';
import { goneError } from './branch.ts';
import type { Engine } from './engine.ts';
import type { RawCollection } from './raw-collection.ts';
import type { Shape } from './structures.ts';

/** What a handle stands for: a collection of a branch, as it was when the handle was made. */
export interface CollectionPlace {
  readonly branchId: number;
  readonly id: number;
  readonly name: string;
  readonly schema: string;
  /** It belongs to a view: it can't be changed. */
  readonly isFrozen: boolean;
}

/**
 * The way from a user's handle to the collection in core, which is another object after each rollback. A handle asks for it with {@link current}
 * or {@link writable}; the hottest ones compare {@link stamp} with the engine's first.
 */
export class Handle<Raw extends RawCollection> {
  readonly engine: Engine;
  readonly place: CollectionPlace;
  /** The collection, as long as the engine's stamp is {@link stamp}. */
  raw: Raw;
  stamp: number;

  constructor(engine: Engine, place: CollectionPlace, raw: Raw) {
    this.engine = engine;
    this.place = place;
    this.raw = raw;
    this.stamp = engine.stamp;
  }

  /** The collection, for reading. @throws {StateError} when it is not there any more, or the store is not usable. */
  current(action = 'read'): Raw {
    const { engine } = this;
    if (this.stamp === engine.stamp) return this.raw;
    const { branchId, id, name, schema } = this.place;
    engine.refuseUnusable(`${action} "${name}"`);
    const branch = engine.core.branch(branchId);
    const named = branch && engine.core.namesOf(branch).get(name);
    // After a rollback the same id may have been given to another collection.
    const isSame = named !== undefined && named.id === id && named.schema === schema;
    const raw = branch && isSame ? engine.core.collection(branch, id) : undefined;
    if (raw === undefined) throw goneError(action, name, branch?.title ?? 'the store');
    refuseMisfit(name, raw, this.raw);
    this.raw = raw as Raw;
    this.stamp = engine.stamp;
    return this.raw;
  }

  /** The collection, ready to be changed by one operation. */
  writable(): Raw {
    const action = `change "${this.place.name}"`;
    this.engine.refuseReadOnly(action);
    if (this.place.isFrozen) throw new ReadOnlyError(`Cannot ${action}: a view is for reading`);
    this.engine.beginChange(this.current('change'));
    // Beginning may have rolled back to nothing, or grown the file; the collection stays the same object as long as nothing throws.
    return this.raw;
  }

  /** Does one operation, which logs itself; and ends it. */
  change<R>(apply: () => R): R {
    const { engine } = this;
    let result: R;
    try {
      result = apply();
    } catch (error) {
      throw engine.failChange(error);
    }
    engine.endChange();
    return result;
  }
}

/** @throws {CorruptionError} when a collection's descriptor contradicts its schema, which says `wanted`. */
export function refuseMisfit(name: string, found: Shape, wanted: Shape): void {
  const { kind, levels, valueSize } = wanted;
  if (found.kind === kind && found.levels === levels && found.valueSize === valueSize) return;
  const text = (shape: Shape): string =>
    `a ${shape.kind} of ${shape.levels} levels and values of ${shape.valueSize} bytes`;
  const message = `Cannot use "${name}": its descriptor is that of ${text(found)}, its schema that of ${text(wanted)}`;
  throw new CorruptionError(message, { kind: 'store_descriptor', field: 'kind' });
}
