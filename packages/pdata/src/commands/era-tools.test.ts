import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EraMetadata } from 'persistent-data/era';
import { MemoryDevice } from 'persistent-data/io';
import { ERA_DAMAGES, EraPatient } from 'persistent-data/testing';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { SickPool } from '../../../../test/structures/sick-pool.ts';
import { parseArguments } from '../arguments.ts';
import { eraGradeText, gradeEraCheck } from '../era-check-grade.ts';
import { EraCheckText } from '../era-check-text.ts';
import { lossLine } from '../era-loss-text.ts';
import { run as check } from './era-check.ts';
import { run as dump } from './era-dump.ts';
import { run as damage } from './era-generate-damage.ts';
import { run as generate } from './era-generate-metadata.ts';
import { run as invalidate } from './era-invalidate.ts';
import { run as repair } from './era-repair.ts';
import { run as restore } from './era-restore.ts';
import { ERA_DAMAGE_KINDS, ERA_TOOLS } from './era-tools-table.ts';

const said = vi.hoisted(() => ({ out: '', err: '' }));
vi.mock('../standard-output.ts', () => ({
  writeStdout: (content: string | Uint8Array) => {
    said.out += typeof content === 'string' ? content : new TextDecoder().decode(content);
  },
}));
vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
  said.err += String(text);
  return true;
});
afterEach(() => Object.assign(said, { out: '', err: '' }));

const folder = mkdtempSync(join(tmpdir(), 'pdata-era-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'metadata');
const other = join(folder, 'other');

/** Two eras that are archived, the third current, as a crash left it; and a metadata snapshot of the first two. */
function make(): MemoryDevice {
  const device = new MemoryDevice({ nrBlocks: 64 });
  const era = EraMetadata.format(device, { blockSizeSectors: 128 });
  era.resume(100);
  era.markWritten([1, 2, 3]);
  era.checkpoint();
  era.markWritten([3, 60]);
  era.takeMetadataSnapshot();
  era.markWritten([99]);
  return device;
}

function write(change: (sick: SickPool, patient: EraPatient) => void = () => undefined): void {
  const device = make();
  change(new SickPool(device), new EraPatient(device));
  writeFileSync(file, device.toBytes());
  writeFileSync(other, new Uint8Array(64 * 4096));
}

const argumentsOf = (name: string, ...argv: string[]) =>
  parseArguments(ERA_TOOLS.find((spec) => spec.name === name)!, argv);

const spoilArray = (sick: SickPool, patient: EraPatient): void => sick.spoil(patient.eraBlocks[0]!);

test('the table lists all kinds of damage', () => {
  expect(ERA_DAMAGE_KINDS).toEqual([...ERA_DAMAGES]);
});

describe('era_check', () => {
  test('says nothing more of sound metadata', () => {
    write();
    expect(check(argumentsOf('era_check', file))).toBe(0);
    expect(said).toEqual({ out: '', err: 'Checking era metadata\n' });
  });

  test('says what is damaged, what a repair would make up, and is silent when asked to', () => {
    write(spoilArray);
    expect(check(argumentsOf('era_check', file))).toBe(64);
    expect(said.err).toMatch(/^Checking era metadata\narray block error: .* csum is .*\nfatal errors in metadata\n/);
    expect(said.err).toContain('grade: data at risk\n  era array: blocks 0 to 99 count as written in era 0\n');
    expect(said.err).toContain(`what helps: era_repair -i ${file} -o OUTPUT`);
    said.err = '';
    expect(check(argumentsOf('era_check', '-q', file))).toBe(64);
    expect(said).toEqual({ out: '', err: '' });
    expect(check(argumentsOf('era_check', '--super-block-only', file))).toBe(0);
  });

  test('has the words of version 1.x for a superblock', () => {
    write((sick) => sick.spoil(0, 100));
    expect(check(argumentsOf('era_check', file))).toBe(64);
    expect(said.err).toBe('Checking era metadata\nbad checksum in superblock\ngrade: data at risk\n');
  });

  test('--json has it all', () => {
    write(spoilArray);
    expect(check(argumentsOf('era_check', '--json', file))).toBe(64);
    const result = JSON.parse(said.out);
    expect(result).toMatchObject({
      version: 1,
      verdict: 'damaged',
      currentEra: 3,
      nrBlocks: 100,
      grade: 'data at risk',
    });
    expect(result.findings[0]).toMatchObject({ severity: 'fatal', code: 'array.block' });
    expect(result.losses).toEqual([{ kind: 'eras', era: 0, begin: 0, end: 100 }]);
  });

  test('grades', () => {
    const device = make();
    expect(gradeEraCheck(device, [], 'x')).toEqual({ grade: 'clean', losses: [] });
    const leak = { severity: 'leak', code: 'space-map.leak', message: '' } as const;
    expect(gradeEraCheck(device, [leak], 'x')).toMatchObject({ grade: 'leaks', advice: 'era_repair -i x -o OUTPUT' });
    const fatal = { severity: 'fatal', code: 'space-map.count', message: '' } as const;
    expect(gradeEraCheck(device, [fatal], 'x').grade).toBe('repairable');
    expect(gradeEraCheck(new MemoryDevice({ nrBlocks: 0 }), [fatal], 'x')).toEqual({
      grade: 'data at risk',
      losses: [],
    });
    const losses = Array.from({ length: 12 }, (_, era) => ({ kind: 'bits', era, begin: 5, end: 6 }) as const);
    const text = eraGradeText({ grade: 'data at risk', losses, advice: 'wait' });
    expect(text.split('\n')).toHaveLength(13);
    expect(text).toContain('  and 2 more\nwhat helps: wait');
    expect(lossLine({ kind: 'writesets', era: 4, begin: 2, end: 5 })).toBe(
      'archived writesets of eras 2 to 4: all blocks count as written in era 4',
    );
    expect(EraCheckText.name).toBe('EraCheckText');
  });
});

describe('era_dump and era_restore', () => {
  test('are each other’s inverse', async () => {
    write();
    const xml = join(folder, 'xml');
    expect(dump(argumentsOf('era_dump', '-o', xml, file))).toBe(0);
    expect(await restore(argumentsOf('era_restore', '-i', xml, '-o', other))).toBe(0);
    expect(dump(argumentsOf('era_dump', other))).toBe(0);
    expect(said.out).toBe(readFileSync(xml, 'utf8'));
    expect(said.out).toMatch(
      /^<superblock uuid="" block_size="128" nr_blocks="100" current_era="3">\n {2}<writeset era="1"/,
    );
  });

  test('--json prints an object a line', () => {
    write();
    dump(argumentsOf('era_dump', '--json', file));
    const lines = said.out.split('\n').map((line) => (line === '' ? undefined : JSON.parse(line)));
    expect(lines.filter((line) => line?.type !== 'eras')).toEqual([
      { type: 'superblock', uuid: '', blockSize: 128, nrBlocks: 100, currentEra: 3 },
      { type: 'writeset', era: 1, nrBits: 100 },
      { type: 'written', begin: 1, end: 4 },
      { type: 'writeset', era: 2, nrBits: 100 },
      { type: 'written', begin: 3, end: 4 },
      { type: 'written', begin: 60, end: 61 },
      { type: 'writeset', era: 3, nrBits: 100 },
      { type: 'written', begin: 99, end: 100 },
      { type: 'end' },
      undefined,
    ]);
  });

  test('--logical folds; --repair goes on over damage, and says what it made up', () => {
    write();
    dump(argumentsOf('era_dump', '--logical', file));
    expect(said.out).toContain('<era block="3" era="2"/>');
    expect(said.out).toContain('<era block="99" era="3"/>');
    expect(said.out).not.toContain('<writeset');
    const sound = said.out;
    write((sick, patient) => sick.spoil(patient.bitBlocks[0]!));
    expect(() => dump(argumentsOf('era_dump', file))).toThrow('csum');
    said.out = '';
    expect(dump(argumentsOf('era_dump', '--repair', '--logical', file))).toBe(0);
    expect(said.err).toContain('writeset of era 1: blocks 0 to 99 count as written\n');
    expect(said.out).toBe(sound.replaceAll('era="0"/>', 'era="1"/>'));
  });
});

describe('era_repair', () => {
  test('writes what is left, and takes the rest for written', () => {
    write(spoilArray);
    expect(repair(argumentsOf('era_repair', '-i', file, '-o', other))).toBe(0);
    expect(said.err).toBe('era array: blocks 0 to 99 count as written in era 0\n');
    expect(check(argumentsOf('era_check', other))).toBe(0);
  });

  test('--preview writes nothing', () => {
    write(spoilArray);
    expect(repair(argumentsOf('era_repair', '-i', file, '--preview'))).toBe(0);
    expect(repair(argumentsOf('era_repair', '-i', file, '--preview', '--json'))).toBe(0);
    expect(said.out).toContain('"kind": "eras"');
    write();
    said.out = '';
    repair(argumentsOf('era_repair', '-i', file, '--preview'));
    expect(said.out).toBe('nothing is lost\n');
    repair(argumentsOf('era_repair', '-i', file, '-o', other, '--json'));
    expect(said.out).toContain('"losses": []');
  });
});

describe('era_invalidate', () => {
  const list = (...argv: string[]): string => {
    said.out = '';
    expect(invalidate(argumentsOf('era_invalidate', ...argv, file))).toBe(0);
    return said.out;
  };

  test('lists what archived writesets and the array say, and the current writeset when asked to', () => {
    write();
    expect(list('--written-since', '1')).toBe(
      '<blocks>\n  <range begin="1" end="4"/>\n  <block block="60"/>\n</blocks>',
    );
    expect(list('--written-since', '3')).toBe('<blocks>\n</blocks>');
    expect(list('--written-since', '3', '--with-current')).toBe('<blocks>\n  <block block="99"/>\n</blocks>');
    expect(list('--written-since', '2', '--metadata-snapshot')).toContain('<block block="3"/>\n  <block block="60"/>');
  });

  test('--json, and into a file', () => {
    write();
    expect(JSON.parse(list('--json', '--written-since', '1'))).toEqual({
      version: 1,
      writtenSince: 1,
      ranges: [
        { begin: 1, end: 4 },
        { begin: 60, end: 61 },
      ],
    });
    expect(JSON.parse(list('--json', '--written-since', '9')).ranges).toEqual([]);
    expect(list('--written-since', '1', '-o', other)).toBe('');
    expect(readFileSync(other, 'utf8')).toMatch(/^<blocks>/);
  });
});

describe('generators', () => {
  test('make sound metadata, and damage it', () => {
    write();
    expect(generate(argumentsOf('era_generate_metadata', '-o', other, '--nr-blocks', '500', '--json'))).toBe(0);
    expect(JSON.parse(said.out)).toMatchObject({ nrBlocks: 500, nrWritesets: 3 });
    expect(check(argumentsOf('era_check', other))).toBe(0);
    expect(() => generate(argumentsOf('era_generate_metadata', '-o', other, '--percent', '101'))).toThrow(
      'at most 100',
    );
    said.out = '';
    expect(damage(argumentsOf('era_generate_damage', '-o', other, '--kind', 'farEra'))).toBe(0);
    expect(said.out).toMatch(/^an era in array block \d+ is \d+\n$/);
    expect(check(argumentsOf('era_check', other))).toBe(64);
    expect(said.err).toContain('value error: invalid era value at data block');
    expect(() => damage(argumentsOf('era_generate_damage', '-o', other))).toThrow('that is not sound');
    expect(damage(argumentsOf('era_generate_damage', '-o', file, '--kind', 'leak', '--json'))).toBe(0);
    said.err = '';
    expect(check(argumentsOf('era_check', file))).toBe(64);
    expect(said.err).toContain('1 metadata blocks have leaked.');
    expect(check(argumentsOf('era_check', '--ignore-non-fatal-errors', file))).toBe(0);
  });
});
