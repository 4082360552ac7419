import { CorruptionError, type Slab } from '../base/index.ts';
import { forEachRun, readU64, type ValueType, writeU64 } from '../btree/index.ts';
import { STORE_DESCRIPTOR, STORE_KIND, STORE_NAME, STORE_SNAPSHOT } from '../format/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';

const ENCODER = new TextEncoder();
/** Strict, and a byte order mark belongs to the text: what is read is what was written. */
const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws {CorruptionError} when the bytes are no UTF-8. */
function decode(bytes: Uint8Array, what: string): string {
  try {
    return DECODER.decode(bytes);
  } catch (error) {
    throw new CorruptionError(`Cannot read ${what}: its text is no UTF-8`, { kind: what }, { cause: error });
  }
}

/** What a collection is. */
export type CollectionKind = keyof typeof STORE_KIND;

/** A collection in the catalogue of one state of the store. */
export interface Descriptor {
  readonly kind: CollectionKind;
  /** Root of its structure. */
  readonly root: number;
  /** Entries of a tree. */
  readonly count: number;
  /** Values of an array, bits of a bitset. */
  readonly length: number;
  /** Levels of a tree. */
  readonly levels: number;
  /** Bytes of a value. */
  readonly valueSize: number;
}

const D = {
  count: STORE_DESCRIPTOR.offset('count'),
  length: STORE_DESCRIPTOR.offset('length'),
  kind: STORE_DESCRIPTOR.offset('kind'),
  levels: STORE_DESCRIPTOR.offset('levels'),
  flags: STORE_DESCRIPTOR.offset('flags'),
  valueSize: STORE_DESCRIPTOR.offset('valueSize'),
};

/** @throws {CorruptionError} when `code` is no kind. */
export function kindOf(code: number): CollectionKind {
  for (const [kind, known] of Object.entries(STORE_KIND)) if (known === code) return kind as CollectionKind;
  throw new CorruptionError(`Cannot read store_descriptor: kind is ${code}, 1 to 3 are wanted`, {
    field: 'kind',
    found: code,
  });
}

/** Reads a descriptor in place. @throws {CorruptionError} when its kind is none. */
export function readDescriptor(slab: Slab, at: number): Descriptor {
  return {
    kind: kindOf(slab.bytes[at + D.kind]!),
    root: readU64(slab, at),
    count: readU64(slab, at + D.count),
    length: readU64(slab, at + D.length),
    levels: slab.bytes[at + D.levels]!,
    valueSize: slab.words[(at + D.valueSize) >>> 2]!,
  };
}

/** Writes a descriptor in place. */
export function writeDescriptor(slab: Slab, at: number, value: Descriptor): void {
  writeU64(slab, at, value.root);
  writeU64(slab, at + D.count, value.count);
  writeU64(slab, at + D.length, value.length);
  slab.bytes[at + D.kind] = STORE_KIND[value.kind];
  slab.bytes[at + D.levels] = value.levels;
  slab.view.setUint16(at + D.flags, 0, true);
  slab.words[(at + D.valueSize) >>> 2] = value.valueSize;
}

/**
 * The values of a catalogue. Each entry holds one reference to its collection's structure.
 *
 * @param deleteStructure - Gives up one reference to a whole structure.
 */
export function descriptorType(
  tm: TransactionManager,
  deleteStructure: (descriptor: Descriptor) => void,
): ValueType<Descriptor> {
  const { size } = STORE_DESCRIPTOR;
  return {
    name: 'store_descriptor',
    size,
    read: readDescriptor,
    write: writeDescriptor,
    inc: (slab, at, count) =>
      forEachRun(
        count,
        (i) => readU64(slab, at + size * i),
        (begin, end) => tm.incRange(begin, end),
      ),
    dec: (slab, at, count) => {
      for (let i = 0; i < count; i++) deleteStructure(readDescriptor(slab, at + size * i));
    },
  };
}

/** The lasting half of a collection: what it is called, and of what shape it is. */
export interface NameRecord {
  readonly name: string;
  /** Text, such as `tree keys=2 value={count:u32,price:u64}`. */
  readonly schema: string;
}

const TEXT = STORE_NAME.offset('text');
const MAX_TEXT = STORE_NAME.size - TEXT;
/** The longest name of a collection, in bytes of UTF-8. */
export const MAX_NAME_BYTES = 255;
/** The longest schema, in bytes of UTF-8. */
export const MAX_SCHEMA_BYTES = MAX_TEXT - MAX_NAME_BYTES;

/** @throws {RangeError} when a name or schema is too long for its record, or the name is empty. */
export function checkNameRecord({ name, schema }: NameRecord): void {
  checkText('name', name, MAX_NAME_BYTES);
  checkText('schema', schema, MAX_SCHEMA_BYTES);
}

/** @throws {RangeError | TypeError} when a text is no string, empty, or longer than `maxBytes` in UTF-8. */
export function checkText(what: string, text: unknown, maxBytes: number): void {
  if (typeof text !== 'string') throw new TypeError(`Cannot use a ${typeof text} as a ${what}: a string is wanted`);
  const nrBytes = ENCODER.encode(text).length;
  if (nrBytes >= 1 && nrBytes <= maxBytes) return;
  throw new RangeError(
    `Cannot use this ${what}: it takes ${nrBytes} bytes of UTF-8, 1 to ${maxBytes} are wanted: ${text.slice(0, 40)}`,
  );
}

/** The values of the tree of names. */
export const NAME_TYPE: ValueType<NameRecord> = {
  name: 'store_name',
  size: STORE_NAME.size,
  read: (slab, at) => {
    const nameLength = slab.view.getUint16(at, true);
    const end = nameLength + slab.view.getUint16(at + 2, true);
    if (end > MAX_TEXT) {
      const message = `Cannot read store_name: its texts take ${end} bytes, at most ${MAX_TEXT} are possible`;
      throw new CorruptionError(message, { field: 'nameLength', found: end });
    }
    if (nameLength === 0 || nameLength > MAX_NAME_BYTES) {
      const message = `Cannot read store_name: nameLength is ${nameLength}, 1 to ${MAX_NAME_BYTES} are possible`;
      throw new CorruptionError(message, { field: 'nameLength', found: nameLength });
    }
    const text = slab.bytes.subarray(at + TEXT, at + TEXT + end);
    const name = decode(text.subarray(0, nameLength), 'store_name');
    return { name, schema: decode(text.subarray(nameLength), 'store_name') };
  },
  write: (slab, at, value) => {
    const name = ENCODER.encode(value.name);
    const schema = ENCODER.encode(value.schema);
    slab.view.setUint16(at, name.length, true);
    slab.view.setUint16(at + 2, schema.length, true);
    slab.bytes.fill(0, at + TEXT, at + STORE_NAME.size);
    slab.bytes.set(name, at + TEXT);
    slab.bytes.set(schema, at + TEXT + name.length);
  },
};

/** A snapshot on the disk. */
export interface SnapshotRecord {
  readonly catalogueRoot: number;
  readonly namesRoot: number;
  /** Milliseconds since 1970-01-01 UTC. */
  readonly createdMs: number;
  /** Id of the snapshot that it was made from, or 0. */
  readonly parent: number;
  readonly flags: number;
  readonly name: string;
}

const S = {
  namesRoot: STORE_SNAPSHOT.offset('namesRoot'),
  createdMs: STORE_SNAPSHOT.offset('createdMs'),
  parent: STORE_SNAPSHOT.offset('parent'),
  flags: STORE_SNAPSHOT.offset('flags'),
  nameLength: STORE_SNAPSHOT.offset('nameLength'),
  name: STORE_SNAPSHOT.offset('name'),
};
/** The longest name of a snapshot, in bytes of UTF-8. */
export const MAX_SNAPSHOT_NAME_BYTES = STORE_SNAPSHOT.size - S.name;

/**
 * The values of the tree of snapshots, which nothing shares. Each entry holds one reference to its catalogue and one to its tree of names.
 *
 * @param deleteState - Gives up the references of a snapshot.
 */
export function snapshotType(deleteState: (record: SnapshotRecord) => void): ValueType<SnapshotRecord> {
  const { size } = STORE_SNAPSHOT;
  const read = (slab: Slab, at: number): SnapshotRecord => {
    const nameLength = slab.words[(at + S.nameLength) >>> 2]!;
    if (nameLength > MAX_SNAPSHOT_NAME_BYTES) {
      const message = `Cannot read store_snapshot: nameLength is ${nameLength}, at most ${MAX_SNAPSHOT_NAME_BYTES} is wanted`;
      throw new CorruptionError(message, { field: 'nameLength', found: nameLength });
    }
    return {
      catalogueRoot: readU64(slab, at),
      namesRoot: readU64(slab, at + S.namesRoot),
      createdMs: readU64(slab, at + S.createdMs),
      parent: slab.words[(at + S.parent) >>> 2]!,
      flags: slab.words[(at + S.flags) >>> 2]!,
      name: decode(slab.bytes.subarray(at + S.name, at + S.name + nameLength), 'store_snapshot'),
    };
  };
  return {
    name: 'store_snapshot',
    size,
    read,
    write: (slab, at, value) => {
      const name = ENCODER.encode(value.name);
      writeSnapshotRoots(slab, at, value);
      writeU64(slab, at + S.createdMs, value.createdMs);
      slab.words[(at + S.parent) >>> 2] = value.parent;
      slab.words[(at + S.flags) >>> 2] = value.flags;
      slab.words[(at + S.nameLength) >>> 2] = name.length;
      slab.bytes.fill(0, at + S.name, at + size);
      slab.bytes.set(name, at + S.name);
    },
    dec: (slab, at, count) => {
      for (let i = 0; i < count; i++) deleteState(read(slab, at + size * i));
    },
  };
}

/** Reads the roots of a snapshot in place. */
export function readSnapshotRoots(slab: Slab, at: number): Pick<SnapshotRecord, 'catalogueRoot' | 'namesRoot'> {
  return { catalogueRoot: readU64(slab, at), namesRoot: readU64(slab, at + S.namesRoot) };
}

/** Writes the roots of a snapshot in place. */
export function writeSnapshotRoots(
  slab: Slab,
  at: number,
  roots: Pick<SnapshotRecord, 'catalogueRoot' | 'namesRoot'>,
): void {
  writeU64(slab, at, roots.catalogueRoot);
  writeU64(slab, at + S.namesRoot, roots.namesRoot);
}
