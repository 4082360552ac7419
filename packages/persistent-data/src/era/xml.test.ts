import { describe, expect, test } from 'vitest';
import { NoSpaceError, ParseError, StateError } from '../base/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { checkEra } from './check.ts';
import { dumpEra, dumpEraXml } from './dump.ts';
import { FoldingVisitor } from './folding-visitor.ts';
import { EraMetadata } from './metadata.ts';
import { EraRestore, restoreEraXml } from './restore.ts';
import { readEraXml, readEraXmlAsync } from './xml-reader.ts';
import { EraXmlWriter } from './xml-writer.ts';

const device = (nrBlocks = 200) => new MemoryDevice({ nrBlocks });

/** A document with this in it. */
function xml(inside: string, { nrBlocks = 200, currentEra = 5 } = {}): string {
  const head = `<superblock uuid="" block_size="128" nr_blocks="${nrBlocks}" current_era="${currentEra}">`;
  return `${head}${inside}</superblock>`;
}

/** The blocks that are set in the first writeset of a dump. */
function setBlocks(text: string): number[] {
  return [...text.matchAll(/<bit block="(\d+)" value="true"\/>/g)].map(([, block]) => Number(block));
}

function restored(text: string, nrBlocks?: number): MemoryDevice {
  const made = device(nrBlocks);
  restoreEraXml(made, text);
  expect([...checkEra(made)]).toEqual([]);
  return made;
}

const range = (begin: number, end: number) => Array.from({ length: end - begin }, (_, i) => begin + i);

describe('marked', () => {
  // 1.1.0 of the tools restores a run across a word's end wrongly, or dies of it.
  test.each([
    [0, 1],
    [0, 64],
    [1, 64],
    [60, 8],
    [63, 1],
    [31, 2],
    [32, 32],
    [5, 190],
    [0, 200],
    [199, 1],
    [64, 0],
  ])('a run from %d, %d long', (begin, len) => {
    const text = xml(`<writeset era="3" nr_bits="200"><marked block_begin="${begin}" len="${len}"/></writeset>`);
    expect(setBlocks(dumpEraXml(restored(text)))).toEqual(range(begin, begin + len));
  });

  test('runs over array blocks, and among bits', () => {
    const inside = `<bit block="3" value="true"/><marked block_begin="10" len="70000"/><bit block="70010" value="true"/>
      <bit block="140000" value="false"/><marked block_begin="150000" len="3"/>`;
    const text = xml(`<writeset era="3" nr_bits="150003">${inside}</writeset>`, { nrBlocks: 150_003 });
    const wanted = [3, ...range(10, 70_010), 70_010, ...range(150_000, 150_003)];
    expect(setBlocks(dumpEraXml(restored(text, 1000)))).toEqual(wanted);
  });
});

test('a dump restored is the same dump, with writesets of other sizes, none, and large eras', () => {
  const texts = [
    xml('', { nrBlocks: 0 }),
    xml(
      '<writeset era="4" nr_bits="70"></writeset><writeset era="5" nr_bits="500"><bit block="3" value="true"/></writeset>',
    ),
    xml('<era_array><era block="1" era="3"/><era block="199" era="4294967295"/></era_array>', {
      currentEra: 4294967295,
    }),
    // The era array first, writesets in any order, attributes in any order, other ways to write a value.
    xml(`<era_array/><writeset nr_bits="200" era="5"/><writeset era='2' nr_bits="200">
      <bit value="true" block="7"/><bit block="008" value = "tr&#117;e" /></writeset>`),
  ];
  for (const text of texts) {
    const first = dumpEraXml(restored(text));
    expect(dumpEraXml(restored(first))).toBe(first);
  }
  expect(setBlocks(dumpEraXml(restored(texts[3]!)))).toEqual([7, 8]);
  const sizes = dumpEraXml(restored(texts[1]!));
  expect(sizes.match(/<bit block/g)).toHaveLength(400);
});

test('what is restored opens, and goes on', () => {
  const made = restored(xml('<writeset era="5" nr_bits="200"><bit block="9" value="true"/></writeset>'));
  const era = EraMetadata.open(made);
  expect([era.currentEra, era.nrBlocks, era.hasCurrentWriteset]).toEqual([5, 200, false]);
  era.resume(200);
  expect([era.currentEra, era.eraOf(9), era.eraOf(8)]).toEqual([6, 5, 0]);
});

describe('text that is refused', () => {
  const writeset = (inside: string, era = 3) => `<writeset era="${era}" nr_bits="100">${inside}</writeset>`;
  const bit = (block: number | string, value = 'true') => `<bit block="${block}" value="${value}"/>`;
  test.each([
    [
      'blocks that do not rise',
      writeset(bit(5) + bit(5)),
      'found block 5 behind 5, blocks in increasing order are wanted',
    ],
    ['a run over blocks that came', writeset(`${bit(5)}<marked block_begin="4" len="1"/>`), 'found block 4 behind 5'],
    ['a bit beyond the writeset', writeset(bit(100)), 'found block 100, there are 100'],
    ['a run beyond the writeset', writeset('<marked block_begin="90" len="11"/>'), 'found block 100, there are 100'],
    ['a value that is none', writeset(bit(1, 'yes')), 'provided string was not `true` or `false`'],
    ['a number that is none', writeset(bit('0x1')), 'a decimal number is wanted'],
    ['two writesets of an era', writeset('') + writeset(''), 'found era 3 again'],
    ['an era that has not begun', writeset('', 6), 'found era 6, current_era is 5'],
    ['two arrays', '<era_array/><era_array/>', 'found <era_array> again'],
    ['a block beyond the last', '<era_array><era block="200" era="1"/></era_array>', 'found block 200, there are 200'],
    ['eras that do not rise', '<era_array><era block="2" era="1"/><era block="1" era="1"/></era_array>', 'behind 2'],
    [
      'an era beyond the current one',
      '<era_array><era block="2" era="6"/></era_array>',
      'found era 6, current_era is 5',
    ],
    ['an element where it does not belong', bit(1), 'found <bit>'],
    ['an attribute that is missing', '<writeset era="1"></writeset>', 'found no attribute nr_bits'],
    ['an attribute that it does not have', '<writeset era="1" nr_bits="1" x="1"/>', 'found attribute x'],
  ])('%s', (_, inside, message) => {
    const read = () => restoreEraXml(device(), xml(inside));
    expect(read).toThrow(ParseError);
    expect(read).toThrow(message);
    expect(read).toThrow(/line 1, column \d+/);
  });

  test('a wrong line among a million right ones has its place', () => {
    const lines = range(0, 3000).map((block) => `<bit block="${block}" value="false"/>`);
    lines[2500] = '<bit block="2400" value="false"/>';
    const read = () =>
      restoreEraXml(device(), xml(`<writeset era="3" nr_bits="3000">\n${lines.join('\n')}</writeset>`));
    expect(read).toThrow('found block 2400 behind 2499, blocks in increasing order are wanted (line 2502, column 13)');
  });

  test('sizes that the device has no room for, before anything is made of them', () => {
    const huge = xml('', { nrBlocks: 4294967295 });
    expect(() => restoreEraXml(device(), huge)).toThrow(NoSpaceError);
    const bits = xml('<writeset era="1" nr_bits="4294967295"/>');
    expect(() => restoreEraXml(device(), bits)).toThrow(NoSpaceError);
    expect(() => restoreEraXml(new MemoryDevice({ nrBlocks: 0 }), xml('', { nrBlocks: 0 }))).toThrow(NoSpaceError);
  });
});

test('until the end of a restore nobody takes the device for metadata', () => {
  const made = restored(xml(''));
  expect(() => restoreEraXml(made, xml('<writeset era="9" nr_bits="1"/>'))).toThrow(ParseError);
  expect(() => dumpEraXml(made)).toThrow('bad checksum in superblock');
  expect(() => EraMetadata.open(made)).toThrow('csum');
});

test('parts out of order are refused by the restore itself', () => {
  const restore = new EraRestore(device());
  const words = new Uint32Array(64);
  expect(() => restore.superblockEnd()).toThrow('missing superblock');
  restore.superblockBegin({ uuid: '', blockSize: 128, nrBlocks: 100, currentEra: 3 });
  expect(() => restore.superblockBegin({ uuid: '', blockSize: 128, nrBlocks: 1, currentEra: 1 })).toThrow('duplicated');
  expect(() => restore.bits(words, 0, 0, 64)).toThrow(StateError);
  restore.writesetBegin(1, 100);
  expect(() => restore.eraArrayBegin()).toThrow(StateError);
  expect(() => restore.bits(words, 0, 64, 128)).toThrow('restore the bits of blocks 64 to 128');
  restore.bits(words, 0, 64, 100);
  expect(() => restore.bits(words, 0, 0, 64)).toThrow(StateError);
  expect(() => restore.superblockEnd()).toThrow(StateError);
  restore.writesetEnd();
  expect(() => restore.writesetBegin(1, 100)).toThrow(StateError);
  restore.eraArrayBegin();
  restore.eras(words, 0, 50, 10);
  expect(() => restore.eras(words, 0, 55, 10)).toThrow(StateError);
});

test('folding on the way gives what a logical dump gives', async () => {
  const { nrBlocks } = { nrBlocks: 40_000 };
  const made = device(400);
  const era = EraMetadata.format(made, { blockSizeSectors: 128 });
  era.resume(nrBlocks);
  for (let i = 0; i < 4; i++) {
    era.markWritten(range(i * 500, i * 700 + 1200));
    era.markWritten([39_999 - i]);
    if (i === 1) era.digest();
    era.checkpoint();
  }
  const logical = dumpEraXml(made, { logical: true });
  const pieces: Uint8Array[] = [];
  dumpEra(made, new FoldingVisitor(new EraXmlWriter((bytes) => pieces.push(bytes.slice()))));
  const decoder = new TextDecoder();
  expect(pieces.map((piece) => decoder.decode(piece, { stream: true })).join('')).toBe(logical);
  const wanted = range(0, nrBlocks).map((b) => `    <era block="${b}" era="${era.eraOf(b)}"/>`);
  expect(logical.split('\n').filter((line) => line.includes('<era b'))).toEqual(wanted);
  const again = device(400);
  async function* chunks() {
    yield* pieces;
  }
  await readEraXmlAsync(chunks(), new EraRestore(again));
  expect(dumpEraXml(again)).toBe(logical);
  expect(() => readEraXml([], new EraRestore(again))).toThrow('missing superblock');
});
