/*
 * Lines read by the thousand: a WebAssembly module is made for each kind of line and walks over the text of the window, from line to line, as long as they
 * are written as programs write them. What it finds are numbers in its memory. `npm run bench -- tools --family cache --only restore` measures it.
 */

import { wasm } from '../base/index.ts';
import { LINE_FEED, TAB, ZERO } from './byte-class.ts';

const { block, branch, branchIf, i32Const, i32Load, i32Load8, i32Store, ifTrue, localGet, localSet, localTee, loop } =
  wasm;
const { OP, wasmModule } = wasm;

/** What a gap in the text of a line holds, and what text comes behind. */
export interface LineGap {
  readonly kind: 'number' | 'base64' | 'choice';
  /** Behind a number or bytes: one text; with a choice, each text and what is behind. */
  readonly texts: readonly string[];
}

/* Memory: the text from 0 on, for which there is more room than a window has; a table of base64's digits, the count of line feeds, and the lines that were found. */
const PAGES = 4;
const PAGE_BYTES = 65_536;
const TABLE = 0x2_4000;
const LINE_FEEDS = TABLE + 256;
const FOUND = LINE_FEEDS + 16;
const MEMORY_BYTES = PAGES * PAGE_BYTES;

/** Digits of the longest number: it fits 32 bits, signed. */
const MAX_DIGITS = 9;
const NO_DIGIT = 64;
const BASE64_DIGITS = 6;
const BLANK_BYTE = 0x20;
const CARRIAGE_RETURN_BYTE = 0x0d;

/* Locals of the function; its parameter is AT. */
const AT = 0;
const OUT = 1;
const VALUE = 2;
const BEGIN = 3;
const BYTE = 4;
const FEEDS = 5;
const DIGIT = 6;
const NR_LOCALS = DIGIT + BASE64_DIGITS - 1;

/** Memory for the text of a window and for what is found in it. `undefined` on hosts without WebAssembly, or that forbid it. */
export function makeLineMemory(digits: Uint8Array): WebAssembly.Memory | undefined {
  try {
    const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
    new Uint8Array(memory.buffer).set(digits, TABLE);
    return memory;
  } catch {
    return undefined;
  }
}

/** Reads lines of one kind, one after the other. */
export class LineRuns {
  /** The lines that {@link read} found: {@link stride} words each, where in the text it ends and its values. */
  readonly found: Int32Array;
  /** Words of a line in {@link found}. */
  readonly stride: number;
  readonly #feeds: Int32Array;
  readonly #read: (at: number) => number;

  private constructor(memory: WebAssembly.Memory, nrGaps: number, read: (at: number) => number) {
    this.found = new Int32Array(memory.buffer, FOUND);
    this.stride = nrGaps + 1;
    this.#feeds = new Int32Array(memory.buffer, LINE_FEEDS, 1);
    this.#read = read;
  }

  /** @param begin - The text before the first gap. @param memory - {@link makeLineMemory}'s, with the window's text at its begin. */
  static make(memory: WebAssembly.Memory, begin: string, gaps: readonly LineGap[]): LineRuns | undefined {
    try {
      const module = new WebAssembly.Module(moduleBytes(begin, gaps));
      const { read } = new WebAssembly.Instance(module, { xml: { memory } }).exports;
      return new LineRuns(memory, gaps.length, read as (at: number) => number);
    } catch {
      return undefined;
    }
  }

  /** Reads lines from byte `at` on, with white space between them, up to what is none. Answers how many; they are in {@link found}. */
  read(at: number): number {
    return (this.#read(at) - FOUND) / (4 * this.stride);
  }

  /** Line feeds before the last line that was read. */
  get nrLineFeeds(): number {
    return this.#feeds[0]!;
  }
}

function moduleBytes(begin: string, gaps: readonly LineGap[]): Uint8Array<ArrayBuffer> {
  const stride = 4 * (gaps.length + 1);
  const lastFound = MEMORY_BYTES - stride;
  const line = [
    ...spaces(1),
    ...match(begin, 1),
    ...gaps.flatMap((gap, i) => READ_GAP[gap.kind](gap, 4 * (i + 1))),
    ...[...localGet(OUT), ...localGet(AT), ...i32Store(0)],
    ...[...i32Const(LINE_FEEDS), ...localGet(FEEDS), ...i32Store(0)],
    ...[...localGet(OUT), ...i32Const(stride), ...OP.i32Add, ...localTee(OUT)],
    ...[...i32Const(lastFound), ...OP.i32LtU, ...branchIf(0)],
  ];
  const body = [
    ...[...i32Const(FOUND), ...localSet(OUT)],
    ...[...i32Const(LINE_FEEDS), ...i32Const(0), ...i32Store(0)],
    // Whatever is not as wanted leaves the outer block, at depth 1 from the loop's body.
    ...block(loop(line)),
    ...localGet(OUT),
  ];
  return wasmModule({
    functions: [{ nrParameters: 1, hasResult: true, nrLocals: NR_LOCALS, body }],
    exports: { read: 0 },
    memory: { pages: PAGES, from: ['xml', 'memory'] },
  });
}

const isByte = (byte: number): number[] => [...localGet(BYTE), ...i32Const(byte), ...OP.i32Eq];
const advance = (bytes: number): number[] => [...localGet(AT), ...i32Const(bytes), ...OP.i32Add, ...localSet(AT)];

/** Passes white space and counts line feeds. @param exit - Depth of the block to leave at a byte that ends the text. */
function spaces(exit: number): number[] {
  // Inside: 0 the loop, 1 the block around it.
  return block(
    loop([
      ...[...localGet(AT), ...i32Load8(0), ...localTee(BYTE)],
      ...[...i32Const(BLANK_BYTE), ...OP.i32GtU, ...branchIf(1)],
      ...isByte(LINE_FEED),
      ...ifTrue([...localGet(FEEDS), ...i32Const(1), ...OP.i32Add, ...localSet(FEEDS)]),
      ...[BLANK_BYTE, LINE_FEED, CARRIAGE_RETURN_BYTE, TAB].flatMap((byte, i) => [
        ...isByte(byte),
        ...(i > 0 ? OP.i32Or : []),
      ]),
      ...[...i32Const(0), ...OP.i32Eq, ...branchIf(exit + 2)],
      ...advance(1),
      ...branch(0),
    ]),
  );
}

/** Compares text at AT, and passes it; leaves block `exit` where it is another one. The text has at least one character, all ASCII. */
function match(text: string, exit: number): number[] {
  const bytes = Array.from(text, (c) => c.charCodeAt(0));
  const code: number[] = [];
  for (let done = 0; done < bytes.length; done += 4) {
    // The last word overlaps the one before; only a text that is shorter than a word is compared in part.
    const from = Math.max(0, Math.min(done, bytes.length - 4));
    const part = bytes.slice(from, from + 4);
    const word = part.reduce((sum, byte, i) => sum | (byte << (8 * i)), 0);
    code.push(...localGet(AT), ...i32Load(from));
    if (part.length < 4) code.push(...i32Const((1 << (8 * part.length)) - 1), ...OP.i32And);
    code.push(...i32Const(word), ...OP.i32Ne, ...branchIf(exit));
  }
  return [...code, ...advance(bytes.length)];
}

/** Reads the gap into the word at byte `offset` of what is found, and passes the text behind it. */
type GapReader = (gap: LineGap, offset: number) => number[];

const readNumber: GapReader = ({ texts: [behind = ''] }, offset) => [
  ...[...localGet(AT), ...localSet(BEGIN), ...i32Const(0), ...localSet(VALUE)],
  ...block(
    loop([
      ...[...localGet(AT), ...i32Load8(0), ...i32Const(ZERO), ...OP.i32Sub, ...localTee(BYTE)],
      ...[...i32Const(9), ...OP.i32GtU, ...branchIf(1)],
      ...[...localGet(VALUE), ...i32Const(10), ...OP.i32Mul, ...localGet(BYTE), ...OP.i32Add, ...localSet(VALUE)],
      ...advance(1),
      ...branch(0),
    ]),
  ),
  ...[...localGet(AT), ...localGet(BEGIN), ...OP.i32Sub, ...i32Const(1), ...OP.i32Sub],
  ...[...i32Const(MAX_DIGITS), ...OP.i32GeU, ...branchIf(1)],
  ...[...localGet(OUT), ...localGet(VALUE), ...i32Store(offset)],
  ...match(behind, 1),
];

const readBase64: GapReader = ({ texts: [behind = ''] }, offset) => {
  const digit = (i: number): number[] => localGet(DIGIT + i);
  const shifted = (code: number[], by: number): number[] => [...code, ...i32Const(by), ...OP.i32Shl];
  const digits = Array.from({ length: BASE64_DIGITS }, (_, i) => i);
  return [
    ...digits.flatMap((i) => [...localGet(AT), ...i32Load8(i), ...i32Load8(TABLE), ...localSet(DIGIT + i)]),
    ...digits.flatMap((i) => [...digit(i), ...(i > 0 ? OP.i32Or : [])]),
    ...[...i32Const(NO_DIGIT), ...OP.i32And, ...branchIf(1)],
    ...localGet(OUT),
    // The bytes' bits, first byte lowest: as `fromBase64` in line.ts.
    ...[...shifted(digit(0), 2), ...digit(1), ...i32Const(4), ...OP.i32ShrU, ...OP.i32Or],
    ...shifted([...digit(1), ...i32Const(15), ...OP.i32And], 12),
    ...OP.i32Or,
    ...shifted([...digit(2), ...i32Const(2), ...OP.i32ShrU], 8),
    ...OP.i32Or,
    ...shifted([...digit(2), ...i32Const(3), ...OP.i32And], 22),
    ...OP.i32Or,
    ...[...shifted(digit(3), 16), ...OP.i32Or],
    ...[...shifted(digit(4), 26), ...OP.i32Or],
    ...shifted([...digit(5), ...i32Const(4), ...OP.i32ShrU], 24),
    ...[...OP.i32Or, ...i32Store(offset)],
    ...advance(BASE64_DIGITS),
    ...match(`==${behind}`, 1),
  ];
};

const readChoice: GapReader = ({ texts }, offset) =>
  // Inside: 0 the block of one text, 1 that of all.
  block([
    ...texts.flatMap((text, which) =>
      block([...match(text, 0), ...[...localGet(OUT), ...i32Const(which), ...i32Store(offset)], ...branch(1)]),
    ),
    ...branch(2),
  ]);

const READ_GAP: Readonly<Record<LineGap['kind'], GapReader>> = {
  number: readNumber,
  base64: readBase64,
  choice: readChoice,
};
