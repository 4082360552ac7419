/** `thin_ls`: the devices of a pool, what they map, and what they share. */

import {
  exclusiveBlocks,
  exclusiveOfSet,
  highestMapped,
  type ImageDevice,
  type SharingCensus,
  sharingCensus,
  sharingMatrix,
  ThinImage,
} from 'persistent-data/thin';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { openMetadataInput } from '../files.ts';
import { printJson } from '../print-json.ts';
import { Report } from '../report.ts';
import { prettyBytes } from '../size-text.ts';
import { writeStdout } from '../standard-output.ts';
import { UsageError } from '../usage-error.ts';

/** What is known of a device. */
interface Row extends ImageDevice {
  readonly exclusive: number;
  readonly highest: number | undefined;
}

/** A cell's text. */
type Cell = (row: Row, blockSectors: number) => string;

const blocks =
  (count: (row: Row) => number): Cell =>
  (row) =>
    String(count(row));
const sectors =
  (count: (row: Row) => number): Cell =>
  (row, bs) =>
    String(BigInt(count(row)) * BigInt(bs));
const bytes =
  (count: (row: Row) => number): Cell =>
  (row, bs) =>
    String(BigInt(count(row)) * BigInt(bs) * 512n);
const pretty =
  (count: (row: Row) => number): Cell =>
  (row, bs) =>
    prettyBytes(count(row) * bs * 512);

const mapped = (row: Row): number => row.mappedBlocks;
const exclusive = (row: Row): number => row.exclusive;
const shared = (row: Row): number => row.mappedBlocks - row.exclusive;
const highest = (row: Row): number => row.highest ?? 0;
/** Blocks up to the highest; the tools show the last unit of them. */
const reach = (row: Row): number => highest(row) + 1;

const FIELDS: Readonly<Record<string, Cell>> = {
  DEV: (row) => String(row.id),
  TRANSACTION: (row) => String(row.transactionId),
  CREATE_TIME: (row) => String(row.creationTime),
  SNAP_TIME: (row) => String(row.snapshottedTime),
  MAPPED_BLOCKS: blocks(mapped),
  EXCLUSIVE_BLOCKS: blocks(exclusive),
  SHARED_BLOCKS: blocks(shared),
  HIGHEST_BLOCK: blocks(highest),
  MAPPED_SECTORS: sectors(mapped),
  EXCLUSIVE_SECTORS: sectors(exclusive),
  SHARED_SECTORS: sectors(shared),
  HIGHEST_SECTOR: (row, bs) => String(BigInt(reach(row)) * BigInt(bs) - 1n),
  MAPPED_BYTES: bytes(mapped),
  EXCLUSIVE_BYTES: bytes(exclusive),
  SHARED_BYTES: bytes(shared),
  HIGHEST_BYTE: (row, bs) => String(BigInt(reach(row)) * BigInt(bs) * 512n - 1n),
  MAPPED: pretty(mapped),
  EXCLUSIVE: pretty(exclusive),
  SHARED: pretty(shared),
  HIGHEST_MAPPED: (row, bs) => prettyBytes(reach(row) * bs * 512 - 1),
};

const DEFAULT_FIELDS = ['DEV', 'MAPPED', 'CREATE_TIME', 'SNAP_TIME'];

/** @throws {UsageError} for a name that is none. */
function fieldsFrom(args: Arguments): string[] {
  const fields = args.text('format')?.split(',') ?? DEFAULT_FIELDS;
  for (const field of fields) {
    if (Object.hasOwn(FIELDS, field)) continue;
    throw new UsageError(`invalid value '${field}' for '--format <FIELDS>': Unknown field`);
  }
  return fields;
}

function table(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines.map((line) => `${line.map((cell, i) => `${cell.padStart(widths[i]!)} `).join('')}\n`).join('');
}

/** The sets of `--exclusive-of`. */
function setsFrom(args: Arguments, devices: readonly ImageDevice[]): number[][] {
  return args.texts('exclusive-of').map((text) =>
    text.split(',').map((part) => {
      const id = Number(part);
      if (!/^\d+$/.test(part)) {
        throw new UsageError(`invalid value '${text}' for '--exclusive-of <DEV_IDS>': invalid digit found in string`);
      }
      if (!devices.some((device) => device.id === id)) throw new Error(`Unable to find thin device ${id}`);
      return id;
    }),
  );
}

export function run(args: Arguments): number {
  const fields = fieldsFrom(args);
  const device = openMetadataInput(args.operand(0), args.has('metadata-snap'));
  const asJson = args.has('json');
  const report = new Report({ quiet: asJson });
  try {
    const image = new ThinImage(device, { metadataSnapshot: args.has('metadata-snap') });
    const devices = image.devices();
    const sets = setsFrom(args, devices);
    report.title('Scanning data mappings');
    const progress = report.progress('blocks');
    const total = Math.min(device.nrBlocks, image.superblock.metadataSpaceMapRoot.nrAllocated || device.nrBlocks);
    const onProgress = (done: number): void => progress.update(Math.min(done, total), total);
    try {
      const wantsCensus = sets.length > 0 || args.has('sharing-matrix');
      const census = wantsCensus ? sharingCensus(image, devices, { onProgress }) : undefined;
      const needsExclusive = asJson || fields.some((field) => /EXCLUSIVE|SHARED/.test(field));
      const counts = needsExclusive ? exclusiveBlocks(image, devices, { onProgress }) : undefined;
      const needsHighest = asJson || fields.some((field) => field.startsWith('HIGHEST'));
      const tops = needsHighest ? highestMapped(image, devices) : undefined;
      const rows = devices.map((row, i): Row => ({ ...row, exclusive: counts?.[i] ?? 0, highest: tops?.[i] }));
      progress.end();
      if (asJson) printList(image, rows, census, sets);
      else if (census !== undefined) writeStdout(censusText(census, sets, args.has('sharing-matrix'), image));
      else {
        const header = args.has('no-headers') ? [] : [fields];
        const { dataBlockSize } = image.superblock;
        writeStdout(
          table([...header, ...rows.map((row) => fields.map((field) => FIELDS[field]!(row, dataBlockSize)))]),
        );
      }
    } finally {
      progress.end();
    }
  } finally {
    device.close();
  }
  return EXIT.ok;
}

function censusText(
  census: SharingCensus,
  sets: readonly number[][],
  wantsMatrix: boolean,
  { superblock: { dataBlockSize } }: ThinImage,
): string {
  const lines = sets.map((ids) => {
    const count = exclusiveOfSet(census, ids);
    return `exclusive to ${ids.join(',')}: ${count} blocks, ${prettyBytes(count * dataBlockSize * 512)}\n`;
  });
  if (!wantsMatrix) return lines.join('');
  const matrix = sharingMatrix(census);
  const rows = matrix.map((row, i) => [String(census.ids[i]), ...row.map(String)]);
  return lines.join('') + table([['DEV', ...census.ids.map(String)], ...rows]);
}

function printList(
  image: ThinImage,
  rows: readonly Row[],
  census: SharingCensus | undefined,
  sets: readonly number[][],
): void {
  printJson({
    version: 1,
    dataBlockSizeSectors: image.superblock.dataBlockSize,
    devices: rows.map((row) => ({
      id: row.id,
      mappedBlocks: row.mappedBlocks,
      exclusiveBlocks: row.exclusive,
      sharedBlocks: shared(row),
      highestBlock: row.highest ?? null,
      transactionId: row.transactionId,
      creationTime: row.creationTime,
      snapTime: row.snapshottedTime,
    })),
    ...(census === undefined
      ? {}
      : {
          exclusiveOf: sets.map((devices) => ({ devices, blocks: exclusiveOfSet(census, devices) })),
          sharedBlocks: { devices: census.ids, matrix: sharingMatrix(census) },
        }),
  });
}
