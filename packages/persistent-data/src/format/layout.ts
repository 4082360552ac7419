import { assert } from '../base/index.ts';

/** Sizes in bytes of the scalar field types. A number stands for that many raw bytes. */
const SCALAR_SIZE = { u8: 1, u16: 2, u32: 4, u64: 8 } as const;

export type FieldType = keyof typeof SCALAR_SIZE | number;

/** One field of a layout: where it lies and how it is read. */
export interface Field {
  readonly name: string;
  readonly type: FieldType;
  /** Byte offset in the struct. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

/**
 * An on-disk struct, written once as data: packed, little-endian, in the order of the format. Views, docs/format.md, the explorer
 * and tests read this table. A misspelt field does not compile, and fields that do not add up to `size` fail at import.
 */
export class Layout<Name extends string> {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly fields: readonly Field[];
  readonly #byName: ReadonlyMap<string, Field>;

  constructor(name: string, size: number, fields: Record<Name, FieldType>) {
    let offset = 0;
    const list: Field[] = [];
    for (const [fieldName, type] of Object.entries(fields) as [string, FieldType][]) {
      const fieldSize = typeof type === 'number' ? type : SCALAR_SIZE[type];
      list.push({ name: fieldName, type, offset, size: fieldSize });
      offset += fieldSize;
    }
    assert(offset === size, `layout ${name}: fields take ${offset} bytes, ${size} are declared`);
    this.name = name;
    this.size = size;
    this.fields = list;
    this.#byName = new Map(list.map((field) => [field.name, field]));
  }

  /** Byte offset of a field in the struct. */
  offset(name: Name): number {
    return this.#field(name).offset;
  }

  /** Word offset of a field: its byte offset / 4. */
  word(name: Name): number {
    const { offset } = this.#field(name);
    assert(offset % 4 === 0, `layout ${this.name}: ${name} does not begin at a word`);
    return offset / 4;
  }

  #field(name: Name): Field {
    const field = this.#byName.get(name);
    assert(field !== undefined, `layout ${this.name} has no field ${name}`);
    return field;
  }
}
