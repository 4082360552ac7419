/** What commands are interrupted at: metadata large enough that there is time for it. */

import { closeSync, copyFileSync, openSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { pdata } from './program.ts';

const MAPPINGS = 1_000_000;
const CACHE_BLOCKS = 400_000;
const ERA_BLOCKS = 1_000_000;
/** Blocks of the pool and of the cache whose data is copied, 64 KiB each: 256 MiB. */
const COPIED_BLOCKS = 4096;
const BLOCK_BYTES = 65_536;

/** Room for any of the metadata. */
export const OUTPUT_BYTES = 100 << 20;

/** As `--nr-blocks` for all of `large`. */
export const NR_LARGE_BLOCKS = `${MAPPINGS}`;

/** Makes a file anew, full of holes. */
export function makeSized(path: string, bytes: number): void {
  writeFileSync(path, '');
  truncateSync(path, bytes);
}

/** Writes lines of text, `count` of them, between others. */
class TextFile {
  readonly #fd: number;

  constructor(path: string) {
    this.#fd = openSync(path, 'w');
  }

  line(text: string): this {
    writeSync(this.#fd, `${text}\n`);
    return this;
  }

  lines(count: number, line: (index: number) => string): this {
    for (let begin = 0; begin < count; begin += 10_000) {
      const some = Array.from({ length: Math.min(10_000, count - begin) }, (_, i) => line(begin + i));
      this.line(some.join('\n'));
    }
    return this;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** A pool of single mappings, none next to another, so that there is much to do. */
function writeThinXml(path: string, mappings: number): void {
  new TextFile(path)
    .line(`<superblock uuid="" time="0" transaction="1" data_block_size="128" nr_data_blocks="${mappings}">`)
    .line(`<device dev_id="1" mapped_blocks="${mappings}" transaction="0" creation_time="0" snap_time="0">`)
    .lines(mappings, (i) => `<single_mapping origin_block="${2 * i}" data_block="${(i * 7) % mappings}" time="0"/>`)
    .line('</device></superblock>')
    .close();
}

/** A full cache, with dirty blocks where `isDirty` says so. */
function writeCacheXml(path: string, nrBlocks: number, isDirty: (block: number) => boolean): void {
  new TextFile(path)
    .line(`<superblock uuid="" block_size="128" nr_cache_blocks="${nrBlocks}" policy="smq" hint_width="4"><mappings>`)
    .lines(nrBlocks, (i) => `<mapping cache_block="${i}" origin_block="${(i * 7) % nrBlocks}" dirty="${isDirty(i)}"/>`)
    .line('</mappings><hints>')
    .lines(nrBlocks, (i) => `<hint cache_block="${i}" data="AQAAAA=="/>`)
    .line('</hints></superblock>')
    .close();
}

function writeEraXml(path: string): void {
  new TextFile(path)
    .line(`<superblock uuid="" block_size="128" nr_blocks="${ERA_BLOCKS}" current_era="3"><era_array>`)
    .lines(ERA_BLOCKS, (i) => `<era block="${i}" era="${i % 3}"/>`)
    .line('</era_array></superblock>')
    .close();
}

async function succeed(argv: readonly string[]): Promise<void> {
  const { status, stderr } = await pdata(argv);
  if (status !== 0) throw new Error(`${argv[0]}: ${stderr}`);
}

/**
 * Makes, each with its XML: pools `large` and `volume`, caches `cache` and `dirty`, era metadata `era`. Beside them `leaky`, `large` with a leaked block, for
 * which a check has to look at everything; `large.pack`; and `data`, of `volume` or of `dirty`.
 */
export async function makeInputs(path: (name: string) => string): Promise<void> {
  writeThinXml(path('large.xml'), MAPPINGS);
  writeThinXml(path('volume.xml'), COPIED_BLOCKS);
  writeCacheXml(path('cache.xml'), CACHE_BLOCKS, (block) => block % 3 === 0);
  writeCacheXml(path('dirty.xml'), COPIED_BLOCKS, () => true);
  writeEraXml(path('era.xml'));
  const restores = [
    ['thin', 'large', OUTPUT_BYTES],
    ['thin', 'volume', 4 << 20],
    ['cache', 'cache', 16 << 20],
    ['cache', 'dirty', 4 << 20],
    ['era', 'era', 16 << 20],
  ] as const;
  for (const [family, name, bytes] of restores) {
    makeSized(path(name), bytes);
    await succeed([`${family}_restore`, '-i', path(`${name}.xml`), '-o', path(name)]);
  }
  copyFileSync(path('large'), path('leaky'));
  await succeed(['thin_generate_damage', '--kind', 'leak', '-o', path('leaky')]);
  await succeed(['thin_metadata_pack', '-i', path('large'), '-o', path('large.pack')]);
  makeSized(path('data'), COPIED_BLOCKS * BLOCK_BYTES);
  const data = openSync(path('data'), 'r+');
  for (let block = 0; block < COPIED_BLOCKS; block++) {
    writeSync(data, Uint8Array.of(block % 251, block >>> 8, 1), 0, 3, block * BLOCK_BYTES);
  }
  closeSync(data);
}
