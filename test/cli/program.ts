/** Runs the built program. */

import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { goldenImage } from '../golden/image.ts';

/** The program's entry, as it was built. */
export const BIN = join(import.meta.dirname, '../../packages/pdata/dist/main.js');

/** Whether there is a build to run; what needs it is skipped aloud without, and fails where `CI=true` promises it. */
export const isBuilt = existsSync(BIN) || process.env.CI === 'true';
if (!isBuilt) process.stderr.write('skipped: test/cli needs the build: `npm run build`\n');

/** What the program did. */
export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program with these arguments. */
export function pdata(argv: readonly string[], options: { readonly cwd?: string } = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [BIN, ...argv],
      { ...options, encoding: 'utf8', maxBuffer: 2 ** 28 },
      (error, stdout, stderr) => {
        const status = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ status, stdout, stderr });
      },
    );
    child.stdin?.end();
  });
}

/** A folder for a test file's files, gone at its end. */
export function scratchFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `pdata-${name}-`));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** XML of a small pool. */
export const SMALL_XML = `<superblock uuid="" time="0" transaction="1" version="2" data_block_size="128" nr_data_blocks="100">
  <device dev_id="1" mapped_blocks="4" transaction="0" creation_time="0" snap_time="0">
    <range_mapping origin_begin="0" data_begin="10" length="4" time="0"/>
  </device>
</superblock>`;

/** XML of small era metadata. */
const SMALL_ERA_XML = `<superblock uuid="" block_size="128" nr_blocks="100" current_era="3">
  <writeset era="2" nr_bits="100">
    <marked block_begin="60" len="8"/>
  </writeset>
  <writeset era="3" nr_bits="100">
    <bit block="3" value="true"/>
  </writeset>
  <era_array>
    <era block="9" era="1"/>
  </era_array>
</superblock>`;

/** XML of a small cache. */
export const SMALL_CACHE_XML = `<superblock uuid="" block_size="128" nr_cache_blocks="64" policy="smq" hint_width="4">
  <mappings>
    <mapping cache_block="0" origin_block="5" dirty="false"/>
    <mapping cache_block="7" origin_block="9" dirty="true"/>
  </mappings>
  <hints>
    <hint cache_block="7" data="AQAAAA=="/>
  </hints>
</superblock>`;

/** Fills a folder with inputs and outputs of all sorts, and answers their paths. */
export function makeFiles(folder: string) {
  const path = (name: string): string => join(folder, name);
  const sized = (name: string, bytes: number): string => {
    writeFileSync(path(name), '');
    truncateSync(path(name), bytes);
    return path(name);
  };
  writeFileSync(path('metadata'), goldenImage('scripted', '06-write-snapshot').bytes());
  writeFileSync(path('xml'), SMALL_XML.padEnd(8192, '\n'));
  writeFileSync(path('era'), goldenImage('era', 'eras-clean').bytes());
  writeFileSync(path('era-xml'), SMALL_ERA_XML.padEnd(8192, '\n'));
  writeFileSync(path('cache'), goldenImage('cache', 'v2-empty').bytes());
  writeFileSync(path('cache-xml'), SMALL_CACHE_XML.padEnd(8192, '\n'));
  return {
    metadata: path('metadata'),
    xml: path('xml'),
    era: path('era'),
    eraXml: path('era-xml'),
    cache: path('cache'),
    cacheXml: path('cache-xml'),
    missing: path('missing'),
    folder,
    tiny: sized('tiny', 100),
    small: sized('small', 36_864),
    output: sized('output', 4 << 20),
    data: sized('data', 1024 * 65_536),
    made: path('made'),
  };
}
