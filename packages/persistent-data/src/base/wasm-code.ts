/*
 * The binary format of WebAssembly, as far as it is needed to put small modules together instruction by instruction. Their code is listed where it is
 * made: no tool has to be run, and no bytes have to be believed. https://webassembly.github.io/spec/core/binary/
 */

/** Instructions, or parts of them, as bytes. */
export type WasmCode = readonly number[];

const I32 = 0x7f;
const FUNCTION_TYPE = 0x60;
const MAGIC_AND_VERSION = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0] as const;

export const localGet = (index: number): number[] => [0x20, ...unsigned(index)];
export const localSet = (index: number): number[] => [0x21, ...unsigned(index)];
export const localTee = (index: number): number[] => [0x22, ...unsigned(index)];
export const i32Const = (value: number): number[] => [0x41, ...signed(value | 0)];
/** Loads from, and stores to, the address on the stack plus `offset`; they need no alignment. */
export const i32Load = (offset: number): number[] => [0x28, 0, ...unsigned(offset)];
export const i32Load8 = (offset: number): number[] => [0x2d, 0, ...unsigned(offset)];
export const i32Store = (offset: number): number[] => [0x36, 0, ...unsigned(offset)];
export const v128Load = (offset: number): number[] => [0xfd, 0, 0, ...unsigned(offset)];
export const call = (index: number): number[] => [0x10, ...unsigned(index)];

/** Instructions without operands of their own. */
export const OP = {
  i32Eq: [0x46],
  i32Ne: [0x47],
  i32LtU: [0x49],
  i32GtU: [0x4b],
  i32GeU: [0x4f],
  i32Add: [0x6a],
  i32Sub: [0x6b],
  i32Mul: [0x6c],
  i32And: [0x71],
  i32Or: [0x72],
  i32Shl: [0x74],
  i32ShrU: [0x76],
  v128Store: [0xfd, 11, 0, 0],
  v128Xor: [0xfd, 81],
} as const;

/** Leaving a `block` goes behind it, leaving a `loop` to its begin. Neither has a result. */
export const block = (body: WasmCode): number[] => [0x02, 0x40, ...body, 0x0b];
export const loop = (body: WasmCode): number[] => [0x03, 0x40, ...body, 0x0b];
export const ifTrue = (body: WasmCode): number[] => [0x04, 0x40, ...body, 0x0b];
/** @param depth - How many blocks, loops and ifs are between here and the one that is left. */
export const branch = (depth: number): number[] => [0x0c, ...unsigned(depth)];
export const branchIf = (depth: number): number[] => [0x0d, ...unsigned(depth)];

/** A function of i32s. */
export interface WasmFunction {
  readonly nrParameters: number;
  /** Whether it leaves an i32. */
  readonly hasResult?: boolean;
  /** Locals behind the parameters. */
  readonly nrLocals?: number;
  readonly body: WasmCode;
}

/** What a module consists of. */
export interface WasmModule {
  readonly functions: readonly WasmFunction[];
  /** By name: the index of a function. */
  readonly exports: Readonly<Record<string, number>>;
  /** Pages of 64 KiB of its memory, which is exported as `memory`; or where it is imported from, with so many pages. */
  readonly memory: { readonly pages: number; readonly from?: readonly [module: string, name: string] };
}

/** The bytes of a module. */
export function wasmModule({ functions, exports, memory }: WasmModule): Uint8Array<ArrayBuffer> {
  const { pages, from } = memory;
  const limits = [0, ...unsigned(pages)];
  const types = functions.map(({ nrParameters, hasResult = false }) => [
    FUNCTION_TYPE,
    ...vector(Array.from({ length: nrParameters }, () => [I32])),
    ...vector(hasResult ? [[I32]] : []),
  ]);
  const exported = Object.entries(exports).map(([name, index]) => [...text(name), 0, ...unsigned(index)]);
  return new Uint8Array([
    ...MAGIC_AND_VERSION,
    ...section(1, vector(types)),
    ...(from === undefined ? [] : section(2, vector([[...from.flatMap(text), 2, ...limits]]))),
    ...section(3, vector(functions.map((_, i) => unsigned(i)))),
    ...(from === undefined ? section(5, vector([limits])) : []),
    ...section(7, vector(from === undefined ? [[...text('memory'), 2, 0], ...exported] : exported)),
    ...section(10, vector(functions.map(functionCode))),
  ]);
}

function functionCode({ nrLocals = 0, body }: WasmFunction): number[] {
  const locals = vector(nrLocals === 0 ? [] : [[...unsigned(nrLocals), I32]]);
  return [...unsigned(locals.length + body.length + 1), ...locals, ...body, 0x0b];
}

function section(id: number, content: WasmCode): number[] {
  return [id, ...unsigned(content.length), ...content];
}

function vector(items: readonly WasmCode[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function text(characters: string): number[] {
  return [...unsigned(characters.length), ...Array.from(characters, (c) => c.charCodeAt(0))];
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];
}

function signed(value: number): number[] {
  return value >= -64 && value < 64 ? [value & 127] : [(value & 127) | 128, ...signed(value >> 7)];
}
