/** XML in and out: against a well-kept parser (saxes), against itself, and against dumps that the userland tools made. */

import fc from 'fast-check';
import { ParseError } from 'persistent-data/base';
import { type XmlTag, XmlTokenizer, XmlVocabulary } from 'persistent-data/xml';
import { SaxesParser } from 'saxes';
import { describe, expect, test } from 'vitest';
import {
  readThinXml,
  type ThinVisitor,
  type ThinXmlDevice,
  type ThinXmlSuperblock,
  ThinXmlWriter,
} from '../../packages/persistent-data/src/thin/xml.ts';
import { goldenImages } from '../golden/image.ts';
import { replay } from '../replay.ts';

const VOCABULARY = new XmlVocabulary({ elements: ['a', 'item'], attributes: ['x', 'size', 'name'] });

/** An element's begin or end; `undefined` in place of all of them where the text is refused. */
type Events = readonly (readonly unknown[])[] | undefined;

function ours(text: Uint8Array, cuts: readonly number[] = []): Events {
  const events: unknown[][] = [];
  const tokenizer = new XmlTokenizer(VOCABULARY, {
    open: (tag: XmlTag) => {
      const attributes: string[][] = [];
      for (let i = 0; i < tag.nrAttributes; i++) attributes.push([tag.attributeName(i), tag.attributeValue(i)]);
      events.push([tag.name, attributes]);
    },
    close: (tag: XmlTag) => void events.push([tag.name]),
  });
  try {
    let begin = 0;
    for (const cut of [...cuts].sort((a, b) => a - b)) {
      tokenizer.push(text.subarray(begin, cut));
      begin = Math.min(cut, text.length);
    }
    tokenizer.push(text.subarray(begin));
    tokenizer.end();
  } catch (error) {
    if (error instanceof ParseError) return undefined;
    throw error;
  }
  return events;
}

/** What saxes makes of a text, with what is outside our subset refused. */
function theirs(bytes: Uint8Array): Events {
  const events: unknown[][] = [];
  let isRefused = false;
  const refuse = () => {
    isRefused = true;
  };
  const insist = (condition: boolean) => {
    if (!condition) refuse();
  };
  const parser = new SaxesParser();
  parser.on('error', refuse);
  parser.on('doctype', refuse);
  parser.on('cdata', refuse);
  parser.on('processinginstruction', refuse);
  parser.on('text', (text) => insist(/^[ \t\r\n]*$/.test(text)));
  parser.on('xmldecl', ({ version, encoding }) =>
    insist(version === '1.0' && /^(utf-8|us-ascii|)$/i.test(encoding ?? '')),
  );
  parser.on('opentag', ({ name, attributes }) => {
    for (const each of [name, ...Object.keys(attributes)]) insist(/^[\w:.-]+$/.test(each));
    events.push([name, Object.entries(attributes)]);
  });
  parser.on('closetag', ({ name }) => void events.push([name]));
  try {
    parser.write(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
    parser.close();
  } catch {
    return undefined;
  }
  return isRefused ? undefined : events;
}

const space = fc.constantFrom(' ', '\n', '\t', '\r\n', '  ');
const gap = fc.constantFrom('', '', '', '\n', '  ', '<!-- c -->', '<!---->');
const attribute = fc
  .tuple(
    space,
    fc.constantFrom('x', 'size', 'name', 'sizes', 'other', 'a:b', 'c.d-e'),
    fc.constantFrom('=', '=', '=', ' = '),
    fc.oneof(
      fc.nat().map(String),
      fc.constantFrom(
        '',
        '&lt;',
        '&#65;',
        '&amp;amp;',
        '\u00fc',
        '\n',
        "'",
        '>',
        '&#xD;',
        '&bad;',
        '&#0;',
        '\u{1F600}',
      ),
      fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => text.replace(/[<&"]/g, '')),
    ),
  )
  .map(([before, name, equals, value]) => `${before}${name}${equals}"${value}"`);
const attributes = fc
  .uniqueArray(attribute, { maxLength: 4, selector: (text) => text.trim().split(/[ =]/)[0] })
  .map((all) => all.join(''));
const name = fc.constantFrom('a', 'item', 'items', 'b', 'x_1');
const { element } = fc.letrec<{ element: string }>((tie) => ({
  element: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.tuple(name, attributes, gap).map(([tag, inside, after]) => `<${tag}${inside}/>${after}`),
    fc
      .tuple(name, attributes, gap, fc.array(tie('element'), { maxLength: 4 }), gap)
      .map(([tag, inside, first, children, last]) => `<${tag}${inside}>${first}${children.join('')}</${tag}>${last}`),
  ),
}));
const document = fc
  .tuple(
    fc.constantFrom('', '', '', '\ufeff', '<?xml version="1.0"?>', '<?xml version="1.0" encoding="UTF-8"?>\n'),
    gap,
    element,
  )
  .map((parts) => new TextEncoder().encode(parts.join('')));

/** Pieces that are likely to matter to a parser. Many leave a text well-formed, at the right place. */
const piece = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom('x', '1', ' ', '\n', '\u00fc', '&#65;', '<!-- - -->', '<b/>', '<b></b>', ' y=""'),
  },
  fc.constantFrom(...'<>/="\'&;!?-[]x \n\t\r\0'),
  fc.constantFrom(
    '<!--',
    '-->',
    '--',
    '<![CDATA[',
    ']]>',
    '<?xml version="1.0"?>',
    '<!DOCTYPE a>',
    '</a>',
    '<a/>',
    '&#',
    '\u00fc',
    '\ufffe',
  ),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 2 }),
);
const edit = fc.record({
  at: fc.nat(),
  removed: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat({ max: 3 })),
  added: piece,
});
const mutated = fc
  .tuple(document, fc.oneof({ weight: 2, arbitrary: fc.tuple(edit) }, fc.array(edit, { maxLength: 3 })))
  .map(([bytes, edits]) => {
    let text = [...bytes];
    for (const { at, removed, added } of edits) {
      const place = at % (text.length + 1);
      text = [...text.slice(0, place), ...new TextEncoder().encode(added), ...text.slice(place + removed)];
    }
    return Uint8Array.from(text);
  });

const show = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

describe('the tokenizer', () => {
  test('sees the same as saxes in generated documents', () => {
    fc.assert(
      fc.property(document, (bytes) => {
        expect(ours(bytes), show(bytes)).toEqual(theirs(bytes));
      }),
      replay('property', 500),
    );
  });

  test('accepts and refuses as saxes does in mutated documents', () => {
    fc.assert(
      fc.property(mutated, (bytes) => {
        expect(ours(bytes), show(bytes)).toEqual(theirs(bytes));
      }),
      replay('property', 2000),
    );
  });

  test('sees the same however the text is cut', () => {
    fc.assert(
      fc.property(fc.oneof(document, mutated), fc.array(fc.nat({ max: 200 })), (bytes, cuts) => {
        expect(ours(bytes, cuts)).toEqual(ours(bytes));
      }),
      replay('property', 300),
    );
  });

  test('survives arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(ours(bytes)).toEqual(theirs(bytes));
      }),
      replay('property', 300),
    );
  });
});

type Call = readonly [method: keyof ThinVisitor, ...arguments_: unknown[]];

/** Writes down what it is told. */
class Recorder implements ThinVisitor {
  readonly calls: Call[] = [];
  superblockBegin(superblock: ThinXmlSuperblock): void {
    this.calls.push(['superblockBegin', superblock]);
  }
  superblockEnd(): void {
    this.calls.push(['superblockEnd']);
  }
  defBegin(name: string): void {
    this.calls.push(['defBegin', name]);
  }
  defEnd(): void {
    this.calls.push(['defEnd']);
  }
  deviceBegin(device: ThinXmlDevice): void {
    this.calls.push(['deviceBegin', device]);
  }
  deviceEnd(): void {
    this.calls.push(['deviceEnd']);
  }
  map(...run: [number, number, number, number]): void {
    this.calls.push(['map', ...run]);
  }
  ref(name: string): void {
    this.calls.push(['ref', name]);
  }
}

function write(calls: readonly Call[]): Uint8Array {
  const pieces: Uint8Array[] = [];
  const writer = new ThinXmlWriter((bytes) => pieces.push(bytes.slice()));
  for (const [method, ...arguments_] of calls) (writer[method] as (...values: unknown[]) => void)(...arguments_);
  return Uint8Array.from(pieces.flatMap((bytes) => [...bytes]));
}

function read(text: Uint8Array, chunkBytes: number): Call[] {
  const recorder = new Recorder();
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < text.length; at += chunkBytes) chunks.push(text.subarray(at, at + chunkBytes));
  readThinXml(chunks, recorder);
  return recorder.calls;
}

const NR_DATA_BLOCKS = 2 ** 40;
const u32 = fc.oneof(fc.nat({ max: 9 }), fc.nat({ max: 0xffff_ffff }));
const u64 = fc.oneof(u32, fc.maxSafeNat(), fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }));
/** Strings of all characters that XML can have. */
const xmlString = fc
  .string({ unit: 'binary', maxLength: 12 })
  .filter((text) => [...text].every((c) => '\t\n\r'.includes(c) || (c >= ' ' && c !== '\ufffe' && c !== '\uffff')));
const run = fc.record({
  gap: fc.oneof(fc.nat({ max: 2 }), fc.nat({ max: 2 ** 40 })),
  data: fc.oneof(fc.nat({ max: 100 }), fc.nat({ max: NR_DATA_BLOCKS - 2 ** 20 })),
  length: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 2 ** 20 })),
  time: fc.nat({ max: 0xff_ffff }),
});

/** The calls for some mappings, in order, and how many blocks they map. */
function mapCalls(
  runs: readonly { gap: number; data: number; length: number; time: number }[],
): [Call[], number, number] {
  let next = 0;
  let nrMapped = 0;
  const calls = runs.map(({ gap, data, length, time }): Call => {
    const begin = next + gap;
    next = begin + length;
    nrMapped += length;
    return ['map', begin, data, length, time];
  });
  return [calls, nrMapped, next];
}

const details = fc.record({ transaction: u64, creationTime: u32, snapTime: u32 });
const pool = fc
  .record({
    superblock: fc.record(
      {
        uuid: xmlString,
        time: u32,
        transaction: u64,
        flags: u32,
        version: u32,
        dataBlockSize: fc.integer({ min: 1, max: 16_384 }).map((n) => 128 * n),
        nrDataBlocks: fc.constant(NR_DATA_BLOCKS),
        metadataSnap: fc.maxSafeNat(),
      },
      { requiredKeys: ['uuid', 'time', 'transaction', 'version', 'dataBlockSize', 'nrDataBlocks'] },
    ),
    defs: fc.uniqueArray(fc.record({ name: xmlString, runs: fc.array(run, { maxLength: 4 }) }), {
      maxLength: 3,
      selector: ({ name }) => name,
    }),
    devices: fc.uniqueArray(
      fc.record({ devId: fc.nat({ max: 0xff_ffff }), details, runs: fc.array(run, { maxLength: 6 }), def: fc.nat() }),
      { maxLength: 4, selector: ({ devId }) => devId },
    ),
  })
  .map(({ superblock, defs, devices }): Call[] => {
    const calls: Call[] = [['superblockBegin', superblock]];
    for (const { name, runs } of defs) calls.push(['defBegin', name], ...mapCalls(runs)[0], ['defEnd']);
    for (const { devId, details, runs, def } of devices) {
      // The def comes first, and the device's own mappings behind it.
      const shared = defs[def % (defs.length + 1)];
      const [, nrShared, end] = mapCalls(shared?.runs ?? []);
      const own = runs.map((each, i) => (i === 0 ? { ...each, gap: each.gap + end } : each));
      const [calls_, nrOwn] = mapCalls(own);
      calls.push(['deviceBegin', { devId, mappedBlocks: nrShared + nrOwn, ...details }]);
      if (shared) calls.push(['ref', shared.name]);
      calls.push(...calls_, ['deviceEnd']);
    }
    return [...calls, ['superblockEnd']];
  });

describe('thin XML', () => {
  test('is read as it was written, and written as it was read', () => {
    fc.assert(
      fc.property(pool, fc.integer({ min: 1, max: 100 }), (calls, chunkBytes) => {
        const text = write(calls);
        const seen = read(text, chunkBytes);
        expect(seen).toEqual(calls);
        expect(show(write(seen))).toBe(show(text));
      }),
      replay('property'),
    );
  });

  test('is well-formed for saxes', () => {
    fc.assert(
      fc.property(pool, (calls) => {
        const text = write(calls);
        expect(theirs(text)).toEqual(ours(text));
        expect(theirs(text)).toBeDefined();
      }),
      replay('property'),
    );
  });

  test('that was damaged is read, or refused with a place', () => {
    fc.assert(
      fc.property(pool, fc.array(edit, { minLength: 1, maxLength: 2 }), (calls, edits) => {
        let text = show(write(calls));
        for (const { at, removed, added } of edits) {
          const place = at % (text.length + 1);
          text = text.slice(0, place) + added + text.slice(place + removed);
        }
        try {
          read(new TextEncoder().encode(text), 1000);
        } catch (error) {
          expect(error).toBeInstanceOf(ParseError);
          const { line, column } = error as ParseError;
          const found = text.split('\n')[line - 1];
          expect(found).toBeDefined();
          expect(column).toBeLessThanOrEqual([...found!].length + 1);
        }
      }),
      replay('property', 300),
    );
  });

  const images = [...goldenImages('thin'), ...goldenImages('scripted')];

  test.each(images.map((image) => [image.name, image] as const))(
    'of version 1.1 comes back to the byte: %s',
    (_, image) => {
      const text = image.record('dump-1.1.xml')!;
      expect(show(write(read(new TextEncoder().encode(text), 1000)))).toBe(text);
    },
  );

  test.each(images.map((image) => [image.name, image] as const))('of version 0.9 is read: %s', (_, image) => {
    const text = image.record('xml')!;
    const [own, other] = [text, image.record('dump-1.1.xml')!].map((dump) =>
      read(new TextEncoder().encode(dump), 5000),
    );
    // 0.9 always shows the flags, and never a def.
    expect(own![0]![1]).toEqual({ flags: 0, ...(other![0]![1] as object) });
    expect(own!.filter(([method]) => method === 'deviceBegin')).toEqual(
      other!.filter(([method]) => method === 'deviceBegin'),
    );
  });
});
