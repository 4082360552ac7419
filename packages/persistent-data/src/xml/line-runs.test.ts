import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { ParseError } from '../base/index.ts';
import { XmlGrammar } from './grammar.ts';
import { lineMemory } from './line.ts';
import { LineRuns } from './line-runs.ts';
import { type XmlHandler, XmlTokenizer } from './tokenizer.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

/** Puts a text into memory and reads lines `<x n="…" d="…" c="…"/>` from its begin on. */
function readLines(text: string): { values: number[][]; ends: number[]; nrLineFeeds: number } {
  const memory = lineMemory()!;
  const runs = LineRuns.make(memory, '<x n="', [
    { kind: 'number', texts: ['" d="'] },
    { kind: 'base64', texts: ['" c="'] },
    { kind: 'choice', texts: ['yes"/>', 'no"/>', 'yesterday"/>'] },
  ])!;
  new Uint8Array(memory.buffer).set(new TextEncoder().encode(text));
  const nr = runs.read(0);
  const { found, stride, nrLineFeeds } = runs;
  const lines = Array.from({ length: nr }, (_, i) => Array.from(found.subarray(i * stride, (i + 1) * stride)));
  return { values: lines.map(([, ...values]) => values), ends: lines.map(([end]) => end!), nrLineFeeds };
}

test('values of each kind, where lines end, and line feeds between them', () => {
  const first = '<x n="7" d="AQAAAA==" c="no"/>';
  const second = ' \t\r\n\n<x n="999999999" d="/////w==" c="yesterday"/>';
  const third = '<x n="000000000" d="0123AQ==" c="yes"/>';
  expect(readLines(`${first}${second}${third}\n\n</list>`)).toEqual({
    values: [
      [7, 1, 1],
      [999_999_999, -1, 2],
      [0, Buffer.from('0123AQ==', 'base64').readInt32LE(), 0],
    ],
    ends: [first.length, first.length + second.length, first.length + second.length + third.length],
    nrLineFeeds: 2,
  });
});

const GOOD = '<x n="1" d="AQAAAA==" c="no"/>\n';

test.each([
  ...['', 'x', '\0', '\v', '<x n="" d="AQAAAA==" c="no"/>', '<x n="1234567890" d="AQAAAA==" c="no"/>'],
  ...['<x n="1a" d="AQAAAA==" c="no"/>', '<x n="-1" d="AQAAAA==" c="no"/>', '<x n="1" d="AQAA=A==" c="no"/>'],
  ...['<x n="1" d="AQAAAAA=" c="no"/>', '<x n="1" d="AQAAA\u00e9==" c="no"/>', '<x n="1" d="AQAAAA==" c="not"/>'],
  ...['<x n="1" d="AQAAAA==" c="no" />', '<x n="1" d="AQAAAA==" c="no"/', '<y n="1" d="AQAAAA==" c="no"/>'],
  ...["<x n='1' d='AQAAAA==' c='no'/>", '<x  n="1" d="AQAAAA==" c="no"/>', '<x n="1" c="no" d="AQAAAA=="/>'],
])('reading ends before %j', (other) => {
  expect(readLines(GOOD + GOOD + other).values).toEqual([
    [1, 1, 1],
    [1, 1, 1],
  ]);
});

test('no more lines are found than there is room for', () => {
  const { values } = readLines('<x n="1" d="AQAAAA==" c="no"/>'.repeat(4500));
  expect(values).toHaveLength(4500);
});

const GRAMMAR = new XmlGrammar('list', {
  list: { children: ['item', 'other'] },
  item: { required: ['size', 'kind', 'data'] },
  other: { children: ['item'] },
});
const SIZE = GRAMMAR.attribute('size');
const KIND = GRAMMAR.attribute('kind');
const DATA = GRAMMAR.attribute('data');
const KINDS = ['round', 'square'];
const TOO_LARGE = 500_000;

/** What a reader makes of a text: its items, and how it ended. */
function read(text: string): string[] {
  const items: string[] = [];
  const take = (size: number, kind: number, data: number): boolean => {
    if (size > TOO_LARGE) return false;
    items.push(`${size} ${KINDS[kind]} ${data}`);
    return true;
  };
  const handler: XmlHandler = {
    lines: [
      GRAMMAR.line(
        'item',
        'list',
        [
          ['size', 'number'],
          ['kind', KINDS],
          ['data', 'base64'],
        ],
        ([size, kind, data]) => take(size!, kind!, data!),
      ),
    ],
    open(tag) {
      GRAMMAR.check(tag);
      if (!tag.has(SIZE)) return;
      const data = Buffer.from(tag.text(DATA), 'base64').readInt32LE();
      take(tag.number(SIZE, TOO_LARGE), KINDS.indexOf(tag.text(KIND)), data);
    },
    close: () => undefined,
  };
  const tokenizer = new XmlTokenizer(GRAMMAR.vocabulary, handler);
  try {
    tokenizer.push(new TextEncoder().encode(text));
    tokenizer.end();
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    items.push(`${error.message} ${error.line} ${error.column}`);
  }
  return items;
}

/** Lines as programs write them, seldom others, of which few are errors. */
const documentLine = fc.oneof(
  { weight: 300, arbitrary: fc.nat(TOO_LARGE).map((n) => `<item size="${n}" kind="round" data="AQAA/w=="/>`) },
  { weight: 300, arbitrary: fc.nat(9).map((n) => `    <item size="${n}" kind="square" data="${n}bcdAQ=="/>`) },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      '',
      '\r',
      '<!-- x\n -->',
      '<other/>',
      '<other><item size="1" kind="round" data="AAAAAA=="/></other>',
    ),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      "<item size='7' kind='round' data='AAAAAA=='/>",
      '<item size="8" kind="round" data="AAAAAA==" />',
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      `<item size="${TOO_LARGE + 1}" kind="round" data="AAAAAA=="/>`,
      'text',
      '<item/>',
      '</list>',
    ),
  },
);

test('long documents are read as without WebAssembly, errors and their places included', { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(
      fc.array(documentLine, { minLength: 1, maxLength: 700, size: 'max' }),
      fc.nat(9000),
      fc.array(documentLine, { maxLength: 700, size: 'max' }),
      (first, nrBetween, last) => {
        const between = Array.from(
          { length: nrBetween },
          (_, i) => ` <item size="${i}" kind="round" data="AQAAAA=="/>`,
        );
        const text = `<list>${[...between, ...first, ...between, ...last].join('\n')}</list>`;
        const fast = read(text);
        // A host without it, or that forbids it, has to find the same.
        vi.stubGlobal('WebAssembly', undefined);
        const slow = read(text);
        vi.unstubAllGlobals();
        expect(fast).toEqual(slow);
      },
    ),
    // To make a failing document shorter takes longer than to look at it.
    { numRuns: 25, endOnFailure: true },
  );
});
