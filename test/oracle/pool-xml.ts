/** XML of pools that tests describe, written and read. Plain on purpose: the library's own XML is what is tested with it. */

import type { Mapping, WalkedDevice, WalkedPool } from '../golden/walk.ts';

function mappingLines(device: WalkedDevice): string[] {
  const lines: string[] = [];
  const { mappings } = device;
  for (let i = 0; i < mappings.length; ) {
    const [block, data, time] = mappings[i]!;
    let length = 1;
    while (follows(mappings[i + length], block + length, data + length, time)) length += 1;
    lines.push(
      length === 1
        ? `<single_mapping origin_block="${block}" data_block="${data}" time="${time}"/>`
        : `<range_mapping origin_begin="${block}" data_begin="${data}" length="${length}" time="${time}"/>`,
    );
    i += length;
  }
  return lines;
}

function follows(mapping: readonly number[] | undefined, block: number, data: number, time: number): boolean {
  return mapping !== undefined && mapping[0] === block && mapping[1] === data && mapping[2] === time;
}

/** The XML that thin_restore takes. */
export function poolXml(pool: WalkedPool): string {
  const { time, transactionId, dataBlockSizeSectors, nrDataBlocks, devices } = pool;
  const lines = [
    `<superblock uuid="" time="${time}" transaction="${transactionId}" version="2" ` +
      `data_block_size="${dataBlockSizeSectors}" nr_data_blocks="${nrDataBlocks}">`,
  ];
  for (const device of devices) {
    lines.push(
      `<device dev_id="${device.id}" mapped_blocks="${device.mappings.length}" transaction="${device.transactionId}" ` +
        `creation_time="${device.creationTime}" snap_time="${device.snapshottedTime}">`,
      ...mappingLines(device),
      '</device>',
    );
  }
  return `${[...lines, '</superblock>'].join('\n')}\n`;
}

/** Describes a pool: each device by its mappings `[virtual block, data block, length, time]`. */
export function describePool(options: {
  readonly nrDataBlocks: number;
  readonly blockSectors?: number;
  readonly time?: number;
  readonly transactionId?: number;
  readonly devices: readonly {
    readonly id: number;
    readonly snapshottedTime?: number;
    readonly runs: readonly (readonly [block: number, data: number, length: number, time: number])[];
  }[];
}): WalkedPool {
  return {
    time: options.time ?? 0,
    transactionId: options.transactionId ?? 0,
    nrDataBlocks: options.nrDataBlocks,
    dataBlockSizeSectors: options.blockSectors ?? 128,
    devices: options.devices.map(({ id, snapshottedTime = 0, runs }) => {
      const mappings = runs.flatMap(([block, data, length, time]) =>
        Array.from({ length }, (_, i) => [block + i, data + i, time] as const),
      );
      return { id, mappedBlocks: mappings.length, transactionId: 0, creationTime: 0, snapshottedTime, mappings };
    }),
  };
}

function attributesOf(text: string): Map<string, number> {
  return new Map([...text.matchAll(/(\w+)="(\d*)"/g)].map(([, name, value]) => [name!, Number(value)]));
}

/** Reads the XML of any thin_dump, in the plainest way: refs are expanded, nothing is checked. */
export function readPoolXml(xml: string): WalkedPool {
  const defs = new Map<string, Mapping[]>();
  const devices: WalkedDevice[] = [];
  let [head, mappings] = [new Map<string, number>(), [] as Mapping[]];
  for (const [, tag, rest = ''] of xml.matchAll(/<(\w+)([^>]*)>/g)) {
    const found = attributesOf(rest);
    const value = (name: string) => found.get(name) ?? 0;
    const name = /name="([^"]*)"/.exec(rest)?.[1] ?? '';
    if (tag === 'superblock') head = found;
    if (tag === 'def' || tag === 'device') mappings = [];
    if (tag === 'def') defs.set(name, mappings);
    if (tag === 'ref') mappings.push(...(defs.get(name) ?? []));
    if (tag === 'single_mapping') mappings.push([value('origin_block'), value('data_block'), value('time')]);
    for (let i = 0; tag === 'range_mapping' && i < value('length'); i += 1) {
      mappings.push([value('origin_begin') + i, value('data_begin') + i, value('time')]);
    }
    if (tag !== 'device') continue;
    devices.push({
      ...{ id: value('dev_id'), mappedBlocks: value('mapped_blocks'), transactionId: value('transaction') },
      ...{ creationTime: value('creation_time'), snapshottedTime: value('snap_time'), mappings },
    });
  }
  const of = (name: string) => head.get(name) ?? 0;
  return {
    ...{ time: of('time'), transactionId: of('transaction'), nrDataBlocks: of('nr_data_blocks') },
    ...{ dataBlockSizeSectors: of('data_block_size'), devices },
  };
}
