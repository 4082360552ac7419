/*
 * The few globals that every host has (Node, Bun, Deno, browsers) and that `lib: es2023` does not declare.
 * Layers that are to run everywhere compile against these instead of `@types/node`.
 */

declare var performance: { now(): number; readonly timeOrigin: number };

/** Absent in browsers. */
declare var process:
  | {
      readonly env: Record<string, string | undefined>;
      readonly pid: number;
      getBuiltinModule?(id: string): unknown;
    }
  | undefined;

declare function queueMicrotask(callback: () => void): void;

declare class TextEncoder {
  encode(text?: string): Uint8Array<ArrayBuffer>;
  encodeInto(text: string, into: Uint8Array): { read: number; written: number };
}

declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(bytes?: ArrayBufferView | ArrayBufferLike, options?: { stream?: boolean }): string;
}

declare namespace WebAssembly {
  class Memory {
    constructor(descriptor: { initial: number; maximum?: number; shared?: boolean });
    readonly buffer: ArrayBuffer;
    grow(nrPages: number): number;
  }
  class Module {
    constructor(bytes: Uint8Array<ArrayBuffer> | ArrayBuffer);
  }
  class Instance {
    constructor(module: Module, imports?: Record<string, Record<string, unknown>>);
    readonly exports: Record<string, unknown>;
  }
  function validate(bytes: Uint8Array<ArrayBuffer> | ArrayBuffer): boolean;
}
