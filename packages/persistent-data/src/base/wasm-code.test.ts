import { expect, test } from 'vitest';
import * as wasm from './wasm-code.ts';

const { block, branch, branchIf, call, i32Const, i32Load, i32Load8, i32Store, localGet, localSet, localTee, loop, OP } =
  wasm;

/** What is used of the host's WebAssembly, which Node's types leave out. */
interface Host {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports?: object) => { readonly exports: unknown };
  readonly Memory: new (limits: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
}
const { Module, Instance, Memory } = (globalThis as unknown as { WebAssembly: Host }).WebAssembly;

type Functions = Record<string, (...parameters: number[]) => number>;

test('a module of functions that call each other, with a memory of its own', () => {
  const bytes = wasm.wasmModule({
    functions: [
      { nrParameters: 2, hasResult: true, body: [...localGet(0), ...localGet(1), ...OP.i32Sub] },
      // Stores the number of steps from `AT` down to 0 behind the loop's counter.
      {
        nrParameters: 1,
        nrLocals: 1,
        body: [
          ...block(
            loop([
              ...[...localGet(0), ...i32Const(0), ...OP.i32Eq, ...branchIf(1)],
              ...[...localGet(1), ...i32Const(1), ...OP.i32Add, ...localSet(1)],
              ...[...localGet(0), ...i32Const(1), ...call(0), ...localSet(0)],
              ...branch(0),
            ]),
          ),
          ...[...i32Const(8), ...localGet(1), ...i32Store(4)],
        ],
      },
    ],
    exports: { minus: 0, count: 1 },
    memory: { pages: 1 },
  });
  const { minus, count, memory } = new Instance(new Module(bytes)).exports as Functions & {
    memory: { readonly buffer: ArrayBuffer };
  };
  expect(minus!(5, 70_000)).toBe(-69_995);
  count!(1234);
  expect(new Uint32Array(memory.buffer)[3]).toBe(1234);
});

test.each([0, 63, 64, -64, -65, 127, 128, 8191, 8192, 0x7fff_ffff, -0x8000_0000, 0x8000_0000, 0xffff_ffff])(
  'the constant %i',
  (value) => {
    const functions = [{ nrParameters: 0, hasResult: true, body: i32Const(value) }];
    const bytes = wasm.wasmModule({ functions, exports: { value: 0 }, memory: { pages: 1 } });
    expect((new Instance(new Module(bytes)).exports as Functions).value!()).toBe(value | 0);
  },
);

test('memory that comes from elsewhere, at offsets of more than one byte', () => {
  const memory = new Memory({ initial: 2, maximum: 2 });
  new Uint8Array(memory.buffer).set([1, 2, 3, 4, 255], 70_000);
  const body = [
    ...[...localGet(0), ...i32Load(69_000), ...localTee(1), ...localGet(0), ...i32Load8(69_004), ...OP.i32Add],
  ];
  const functions = [{ nrParameters: 1, hasResult: true, nrLocals: 1, body }];
  const bytes = wasm.wasmModule({ functions, exports: { sum: 0 }, memory: { pages: 2, from: ['a', 'b'] } });
  const { sum } = new Instance(new Module(bytes), { a: { b: memory } }).exports as Functions;
  expect(sum!(1000)).toBe(0x0403_0201 + 255);
});
