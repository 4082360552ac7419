import { CorruptionError, StateError } from '../base/index.ts';
import type { NameRecord } from './catalogue.ts';
import type { RawCollection } from './raw-collection.ts';

/** A collection as a branch lists it. */
export interface NamedCollection extends NameRecord {
  readonly id: number;
}

/**
 * A state of the store that can be read and changed: the head (id 0), or a snapshot. In core: its roots, and the collections that were used.
 */
export class Branch {
  readonly id: number;
  /** For messages: `the store`, `snapshot "x"`. */
  readonly title: string;
  catalogueRoot: number;
  namesRoot: number;
  /** Id of the snapshot that it was made from, or 0. */
  parent: number;
  /** Collections in core, by id. */
  readonly loaded = new Map<number, RawCollection>();
  /** Loaded collections whose catalogue entries are out of date. */
  readonly dirty = new Set<RawCollection>();
  /** Whether the roots differ from what the tree of snapshots has of them. */
  rootsChanged = false;
  #names: Map<string, NamedCollection> | undefined;

  constructor(id: number, title: string, roots: { catalogueRoot: number; namesRoot: number; parent: number }) {
    this.id = id;
    this.title = title;
    this.catalogueRoot = roots.catalogueRoot;
    this.namesRoot = roots.namesRoot;
    this.parent = roots.parent;
  }

  /** All collections by name; read from the tree of names at the first call. */
  names(load: () => Iterable<NamedCollection>): Map<string, NamedCollection> {
    if (this.#names === undefined) {
      const names = new Map<string, NamedCollection>();
      for (const record of load()) {
        if (names.has(record.name)) throw sameNameTwice(record.name);
        names.set(record.name, record);
      }
      this.#names = names;
    }
    return this.#names;
  }
}

function sameNameTwice(name: string): CorruptionError {
  return new CorruptionError(`Cannot read the names of the collections: "${name}" is there twice`, {
    kind: 'store_name',
    field: 'name',
    found: name,
  });
}

/** What a handle gets whose collection is not there (any more). */
export function goneError(action: string, name: string, branch: string): StateError {
  return new StateError(`Cannot ${action} "${name}": ${branch} has no such collection (any more)`);
}
