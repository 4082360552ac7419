import { expect, test } from 'vitest';
import { goldenImage } from '../../../../test/golden/image.ts';
import { MemoryDevice } from '../io/index.ts';
import { dumpEra } from './dump.ts';
import { EraNdjsonWriter } from './ndjson-writer.ts';
import type { EraVisitor } from './visitor.ts';
import { EraXmlWriter } from './xml-writer.ts';

type Line = Record<string, unknown> & { readonly type: string };

function written(Writer: typeof EraNdjsonWriter | typeof EraXmlWriter, say: (writer: EraVisitor) => void): string {
  let text = '';
  say(
    new Writer((bytes) => {
      text += new TextDecoder().decode(bytes);
    }),
  );
  return text;
}

function linesOf(say: (writer: EraVisitor) => void): Line[] {
  return written(EraNdjsonWriter, say)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** The blocks of runs. */
function blocksOf(lines: readonly Line[], type: string): Line[] {
  return lines
    .filter((line) => line.type === type)
    .flatMap((line) =>
      Array.from({ length: Number(line.end) - Number(line.begin) }, (_, i) => ({
        ...line,
        begin: Number(line.begin) + i,
      })),
    );
}

test.each(['eras-clean', 'grown', 'undigested-3'])('NDJSON says what XML says: %s', (name) => {
  const device = MemoryDevice.from(goldenImage('era', name).bytes());
  const lines = linesOf((writer) => dumpEra(device, writer));
  const xml = written(EraXmlWriter, (writer) => dumpEra(device, writer));
  expect(lines[0]).toMatchObject({ type: 'superblock', blockSize: 128 });
  expect(lines.at(-1)).toEqual({ type: 'end' });
  const found = (type: string, pattern: RegExp): void => {
    const numbers = blocksOf(lines, type).map(({ begin, era }) => (type === 'eras' ? `${begin} ${era}` : `${begin}`));
    expect(numbers).toEqual(Array.from(xml.matchAll(pattern), ([, ...groups]) => groups.join(' ')));
  };
  found('written', /<bit block="(\d+)" value="true"/g);
  found('eras', /<era block="(\d+)" era="([1-9]\d*)"/g);
});

test('runs end where a piece, a writeset or the array ends, and go on over pieces that touch', () => {
  const lines = linesOf((writer) => {
    writer.superblockBegin({ uuid: '', blockSize: 128, nrBlocks: 300, currentEra: 3 });
    writer.writesetBegin(1, 200);
    writer.bits(Uint32Array.of(0xffff_ffff, 0xf000_0000), 0, 0, 64);
    writer.bits(Uint32Array.of(9, 0xffff_ffff, 0b101), 1, 64, 99);
    writer.writesetEnd();
    writer.writesetBegin(2, 300);
    writer.bits(Uint32Array.of(0xffff_ffff, 1), 0, 64, 97);
    writer.bits(Uint32Array.of(1, 0), 0, 128, 192);
    writer.writesetEnd();
    writer.eraArrayBegin();
    writer.eras(Uint32Array.of(0, 1, 1, 2), 0, 0, 4);
    writer.eras(Uint32Array.of(2, 0, 5), 0, 4, 3);
    writer.eras(Uint32Array.of(5), 0, 10, 1);
    writer.eraArrayEnd();
    writer.superblockEnd();
  });
  expect(lines.slice(1, -1)).toEqual([
    { type: 'writeset', era: 1, nrBits: 200 },
    { type: 'written', begin: 0, end: 32 },
    { type: 'written', begin: 60, end: 97 },
    { type: 'written', begin: 98, end: 99 },
    { type: 'writeset', era: 2, nrBits: 300 },
    { type: 'written', begin: 64, end: 97 },
    { type: 'written', begin: 128, end: 129 },
    { type: 'eras', begin: 1, end: 3, era: 1 },
    { type: 'eras', begin: 3, end: 5, era: 2 },
    { type: 'eras', begin: 6, end: 7, era: 5 },
    { type: 'eras', begin: 10, end: 11, era: 5 },
  ]);
});
