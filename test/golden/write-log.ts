/**
 * Reads a log of dm-log-writes: every write to a device in order, with flush and FUA marks. Replaying any head of it gives the
 * device as a crash at that moment could have left it, had all writes so far reached the disk.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { BLOCK_SIZE, blockKind } from './compare.ts';
import { GOLDEN } from './image.ts';

const MAGIC = 0x6a736677736872n;
const SECTOR_SIZE = 512;
const [FLUSH, FUA, DISCARD, MARK] = [1, 2, 4, 8];

/** One entry: a write, or a mark that the guest script set. */
export interface LogEntry {
  /** Where on the device, in bytes. */
  readonly offset: number;
  readonly data: Uint8Array;
  readonly flush: boolean;
  readonly fua: boolean;
  readonly discard: boolean;
  readonly mark: string | undefined;
}

/** Parses a log. */
export function parseWriteLog(log: Uint8Array): LogEntry[] {
  const view = new DataView(log.buffer, log.byteOffset, log.byteLength);
  const u64 = (offset: number) => Number(view.getBigUint64(offset, true));
  if (view.getBigUint64(0, true) !== MAGIC) throw new Error('not a log of dm-log-writes');
  const sectorSize = view.getUint32(24, true);
  const entries: LogEntry[] = [];
  for (let at = sectorSize; entries.length < u64(16); ) {
    const [sector, sectors, flags, markLength] = [u64(at), u64(at + 8), u64(at + 16), u64(at + 24)];
    const text = new TextDecoder('latin1').decode(log.subarray(at + 32, at + 32 + markLength));
    at += sectorSize;
    const length = flags & (DISCARD | MARK) ? 0 : sectors * sectorSize;
    entries.push({
      offset: sector * SECTOR_SIZE,
      data: log.subarray(at, at + length),
      flush: (flags & FLUSH) !== 0,
      fua: (flags & FUA) !== 0,
      discard: (flags & DISCARD) !== 0,
      mark: flags & MARK ? text.split('\0')[0] : undefined,
    });
    at += length;
  }
  return entries;
}

/** The recorded log `thin/log-thin`, of a metadata device of 1024 blocks. */
export function goldenWriteLog(): LogEntry[] {
  return parseWriteLog(new Uint8Array(gunzipSync(readFileSync(join(GOLDEN, 'thin/log-thin.bin.gz')))));
}

/** One line for each entry, as the `.list.txt` records have it. */
export function listWriteLog(entries: readonly LogEntry[]): string {
  const lines = entries.map((entry, index) => {
    const names = { flush: entry.flush, fua: entry.fua, discard: entry.discard, mark: entry.mark !== undefined };
    const words = Object.entries(names).flatMap(([name, on]) => (on ? [name] : []));
    const block = entry.offset / BLOCK_SIZE;
    const where = entry.data.length ? ` block ${block} (${entry.data.length / SECTOR_SIZE} sectors)` : '';
    const mark = entry.mark === undefined ? '' : ` "${entry.mark}"`;
    const what: string[] = [];
    for (let o = 0; o + BLOCK_SIZE <= entry.data.length; o += BLOCK_SIZE) {
      what.push(blockKind(entry.data.subarray(o, o + BLOCK_SIZE)));
    }
    return `${index} ${words.join(',') || 'write'}${where}${mark} ${what.join('; ')}`.trimEnd();
  });
  return `${lines.join('\n')}\n`;
}
