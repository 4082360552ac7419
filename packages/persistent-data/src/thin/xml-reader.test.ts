import { describe, expect, test } from 'vitest';
import { ParseError } from '../base/index.ts';
import type { ThinVisitor, ThinXmlDevice, ThinXmlSuperblock } from './visitor.ts';
import { type ReadThinXmlOptions, readThinXml, readThinXmlAsync } from './xml-reader.ts';
import { ThinXmlWriter } from './xml-writer.ts';

/** Writes down what it is told. */
class Log implements ThinVisitor {
  readonly calls: unknown[] = [];
  superblockBegin(superblock: ThinXmlSuperblock): void {
    this.calls.push(['superblock', superblock]);
  }
  superblockEnd(): void {
    this.calls.push('end of superblock');
  }
  defBegin(name: string): void {
    this.calls.push(`def ${name}`);
  }
  defEnd(): void {
    this.calls.push('end of def');
  }
  deviceBegin(device: ThinXmlDevice): void {
    this.calls.push(['device', device]);
  }
  deviceEnd(): void {
    this.calls.push('end of device');
  }
  map(...run: [number, number, number, number]): void {
    this.calls.push(run);
  }
  ref(name: string): void {
    this.calls.push(`ref ${name}`);
  }
}

const encode = (text: string) => new TextEncoder().encode(text);

function read(text: string, options?: ReadThinXmlOptions): unknown[] {
  const log = new Log();
  readThinXml([encode(text)], log, options);
  return log.calls;
}

/** The message of the error, which must be a `ParseError`. */
function failure(text: string, options?: ReadThinXmlOptions): string {
  try {
    read(text, options);
  } catch (error) {
    if (error instanceof ParseError) return error.message;
    throw error;
  }
  return 'none';
}

const SUPERBLOCK = '<superblock uuid="" time="1" transaction="2" data_block_size="128" nr_data_blocks="100">';
const pool = (inside: string) => `${SUPERBLOCK}\n${inside}</superblock>`;
const device = (mappedBlocks: number, inside: string, id = 1) =>
  `<device dev_id="${id}" mapped_blocks="${mappedBlocks}" transaction="0" creation_time="0" snap_time="0">${inside}</device>`;
const single = (origin: number | string, data: number | string, time: number | string = 0) =>
  `\n<single_mapping origin_block="${origin}" data_block="${data}" time="${time}"/>`;
const range = (origin: number | string, data: number | string, length: number | string, time: number | string = 0) =>
  `\n<range_mapping origin_begin="${origin}" data_begin="${data}" length="${length}" time="${time}"/>`;

describe('`readThinXml()` reads', () => {
  test('a dump of version 0.9.0', () => {
    const text = `<superblock uuid="" time="3" transaction="5" flags="0" version="2" data_block_size="128" nr_data_blocks="100">
  <device dev_id="1" mapped_blocks="5" transaction="0" creation_time="0" snap_time="3">
    <range_mapping origin_begin="0" data_begin="10" length="4" time="0"/>
    <single_mapping origin_block="7" data_block="20" time="1"/>
  </device>
</superblock>
`;
    expect(read(text)).toEqual([
      [
        'superblock',
        { uuid: '', time: 3, transaction: 5, flags: 0, version: 2, dataBlockSize: 128, nrDataBlocks: 100 },
      ],
      ['device', { devId: 1, mappedBlocks: 5, transaction: 0, creationTime: 0, snapTime: 3 }],
      [0, 10, 4, 0],
      [7, 20, 1, 1],
      'end of device',
      'end of superblock',
    ]);
  });

  test('a dump of version 1.x with defs, byte for byte', () => {
    const text =
      `<superblock uuid="" time="15" transaction="21" version="2" data_block_size="128" nr_data_blocks="65536">
  <def name="18">
    <single_mapping origin_block="12590" data_block="140" time="0"/>
    <range_mapping origin_begin="12591" data_begin="9" length="3" time="0"/>
  </def>
  <device dev_id="0" mapped_blocks="5" transaction="0" creation_time="0" snap_time="1">
    <single_mapping origin_block="0" data_block="70855" time="1"/>
    <ref name="18"/>
  </device>
  <device dev_id="2" mapped_blocks="4" transaction="0" creation_time="1" snap_time="1">
    <ref name="18"/>
  </device>
</superblock>`.replace('70855', '7085');
    let copy = '';
    readThinXml(
      [encode(text)],
      new ThinXmlWriter((bytes) => {
        copy += new TextDecoder().decode(bytes);
      }),
    );
    expect(copy).toBe(text);
  });

  test('attributes in any order, references, empty elements, the greatest numbers', () => {
    const text =
      `<superblock nr_data_blocks='1099511627776' data_block_size="2097152" metadata_snap="9007199254740991" version="1" ` +
      `transaction="18446744073709551615" time="4294967295" flags="4294967295" uuid="&lt;\u00fc&gt;">` +
      `<device snap_time="4294967295" creation_time="4294967295" transaction="9007199254740992" mapped_blocks="0" ` +
      `dev_id="16777215"/><def name="&quot;"/><device dev_id="0" mapped_blocks="1099511627777" transaction="0" ` +
      `creation_time="0" snap_time="0"><single_mapping time="16777215" data_block="1099511627775" origin_block="0"/>` +
      `<range_mapping origin_begin="8000000000000000" length="1099511627776" data_begin="0" time="0"/>` +
      `<ref name='"'/></device></superblock>`;
    expect(read(text)).toEqual([
      [
        'superblock',
        {
          uuid: '<\u00fc>',
          time: 0xffff_ffff,
          transaction: 0xffff_ffff_ffff_ffffn,
          flags: 0xffff_ffff,
          version: 1,
          dataBlockSize: 2_097_152,
          nrDataBlocks: 2 ** 40,
          metadataSnap: Number.MAX_SAFE_INTEGER,
        },
      ],
      [
        'device',
        { devId: 0xff_ffff, mappedBlocks: 0, transaction: 2n ** 53n, creationTime: 0xffff_ffff, snapTime: 0xffff_ffff },
      ],
      'end of device',
      'def "',
      'end of def',
      ['device', { devId: 0, mappedBlocks: 2 ** 40 + 1, transaction: 0, creationTime: 0, snapTime: 0 }],
      [0, 2 ** 40 - 1, 1, 0xff_ffff],
      [8e15, 0, 2 ** 40, 0],
      'ref "',
      'end of device',
      'end of superblock',
    ]);
  });

  test('defs within defs, and refs between mappings', () => {
    const text = pool(
      `<def name="a">${range(10, 0, 5)}</def><def name="b">${single(3, 9)}<ref name="a"/>${single(15, 9)}</def>` +
        device(9, `${single(0, 1)}<ref name="b"/>${single(16, 1)}`),
    );
    expect(read(text).slice(-4)).toEqual(['ref b', [16, 1, 1, 0], 'end of device', 'end of superblock']);
  });

  describe('a long document, whose mappings are read by the thousand', () => {
    const NR = 20_000;
    const mapping = (i: number): string =>
      i % 3 === 0
        ? `<range_mapping origin_begin="${4 * i}" data_begin="${3 * i}" length="3" time="${i % 7}"/>`
        : `<single_mapping origin_block="${4 * i}" data_block="${3 * i}" time="0"/>`;
    const lines = Array.from({ length: NR }, (_, i) => mapping(i));
    const nrMapped = NR + 2 * Math.ceil(NR / 3);
    const long = (body: readonly string[]): string =>
      `<superblock uuid="" time="7" transaction="1" data_block_size="128" nr_data_blocks="${3 * NR}">
  <def name="a">\n${lines.slice(0, 10).join('\n')}\n</def>
  <device dev_id="1" mapped_blocks="${nrMapped}" transaction="0" creation_time="0" snap_time="7">
    ${body.join('\n    ')}
  </device>
</superblock>`;
    // Single quotes are nothing that a tool writes: such a mapping is read as a tag.
    const asTags = (text: string): string => text.replaceAll('"', "'");

    test('gives the same as one by one', () => {
      expect(read(long(lines))).toEqual(read(asTags(long(lines))));
    });

    test.each([
      ['out of order', '<single_mapping origin_block="5" data_block="9" time="0"/>'],
      ['beyond the data', `<single_mapping origin_block="${4 * 15_000}" data_block="${3 * NR}" time="0"/>`],
      [
        'beyond it with its last',
        `<range_mapping origin_begin="60000" data_begin="${3 * NR - 1}" length="2" time="0"/>`,
      ],
      ['empty', '<range_mapping origin_begin="60000" data_begin="1" length="0" time="0"/>'],
      ['of too late a time', '<single_mapping origin_block="60000" data_block="1" time="16777216"/>'],
    ])('refuses a mapping that is %s with the same place', (_, wrong) => {
      const text = long(lines.with(15_000, wrong));
      expect(failure(text)).toBe(failure(asTags(text)));
      expect(failure(text)).toContain(`line ${15_000 + 15}`);
    });
  });

  test('with values in place of those in the text', () => {
    const overrides = { transaction: 7, dataBlockSize: 256, nrDataBlocks: 4 };
    const text = SUPERBLOCK.replace('128', 'none').replace('"2"', '"x"').replace('"100"', '"0"');
    expect(read(`${text}${device(1, single(0, 3))}</superblock>`, { overrides })[0]).toEqual([
      'superblock',
      { uuid: '', time: 1, version: 2, ...overrides },
    ]);
    const few = pool(device(1, single(0, 4))).replace('"100"', '"3"');
    expect(failure(few, { overrides })).toMatch(/found data block 4, nr_data_blocks is 4/);
    expect(read(pool(''), { overrides })[0]).toMatchObject(['superblock', { nrDataBlocks: 100 }]);
    expect(failure(pool(''), { overrides: { dataBlockSize: 100 } })).toMatch(/^invalid data block size/);
    for (const nrDataBlocks of [-1, 0.5, 2 ** 41]) {
      expect(() => read(pool(''), { overrides: { nrDataBlocks } })).toThrow(RangeError);
    }
  });
});

describe('`readThinXml()` refuses', () => {
  test.each([
    ['', 'missing superblock (line 1, column 1)'],
    [device(0, ''), 'missing superblock (line 1, column 1)'],
    [`${pool('')}\n${pool('')}`, 'duplicated superblock (line 3, column 1)'],
    [pool(pool('')), 'duplicated superblock (line 2, column 1)'],
    [`${pool('')} x`, 'Cannot parse XML: found text, a tag is wanted (line 2, column 15)'],
    [SUPERBLOCK, `Cannot parse XML: the text ends inside <superblock> (line 1, column ${SUPERBLOCK.length + 1})`],
    [pool('<x/>'), 'Cannot read <superblock>: found <x>, <def>, <device> is wanted (line 2, column 1)'],
    [pool(single(0, 0)), /^Cannot read <superblock>: found <single_mapping>, <def>, <device> is wanted \(line 3/],
    [pool(device(0, device(0, ''))), /^Cannot read <device>: found <device>, <range_mapping>, <single_mapping>, <ref>/],
    [SUPERBLOCK.replace(' time="1"', ''), 'Cannot read <superblock>: found no attribute time (line 1, column 1)'],
    [SUPERBLOCK.replace('time', 'mtime'), 'Cannot read <superblock>: found no attribute time (line 1, column 1)'],
    [SUPERBLOCK.replace('time', 'length="" time'), /^Cannot read <superblock>: found attribute length, uuid, time/],
    [SUPERBLOCK.replace('time', 'mtime="1" time'), /^Cannot read <superblock>: found attribute mtime, uuid, time/],
    [
      SUPERBLOCK.replace('time', 'time="1" time'),
      'Cannot parse XML: attribute time is there twice (line 1, column 30)',
    ],
    [
      SUPERBLOCK.replace('"1"', '"4294967296"'),
      /time is 4294967296, at most 4294967295 is allowed \(line 1, column 27\)$/,
    ],
    [SUPERBLOCK.replace('"2"', '"18446744073709551616"'), /transaction is .*, at most 18446744073709551615 is allowed/],
    [SUPERBLOCK.replace('"100"', '"1099511627777"'), /nr_data_blocks is 1099511627777, at most 1099511627776/],
    [SUPERBLOCK.replace('uuid', 'flags="4294967296" uuid'), /flags is 4294967296/],
    [SUPERBLOCK.replace('uuid', 'version="4294967296" uuid'), /version is 4294967296/],
    [SUPERBLOCK.replace('uuid', 'metadata_snap="9007199254740992" uuid'), /metadata_snap is 9007199254740992/],
    ...['0', '127', '192', '2097280'].map((size) => [
      SUPERBLOCK.replace('128', size),
      /^invalid data block size: found/,
    ]),
    [SUPERBLOCK.replace('128', '128k'), /data_block_size is "128k", a decimal number is wanted/],
    [pool(device(0, '', 16_777_216)), /dev_id is 16777216, at most 16777215 is allowed/],
    [pool(device(0, '') + device(0, '')), /^Cannot read <device>: found device 1 again \(line 2/],
    [pool(device(2, single(0, 0))), /^Cannot read <device>: found 1 mappings of device 1, mapped_blocks is 2 \(line 3/],
    [pool(device(2, range(0, 0, 3))), /^Cannot read <device>: found 3 mappings of device 1, mapped_blocks is 2/],
    [pool(`<def name="a">${single(0, 0)}</def>${device(0, '<ref name="a"/>')}`), /found 1 mappings of device 1/],
    [pool('<def name="a"/>\n<def name="a"/>'), 'Cannot read <def>: found the name "a" again (line 3, column 12)'],
    [pool(device(0, '<ref name="a"/>')), /^Cannot read <ref>: found "a", the name of a <def> above is wanted \(line 2/],
    [pool(`${device(0, '<ref name="a"/>')}<def name="a"/>`), /^Cannot read <ref>: found "a"/],
    [pool('<def name="a"><ref name="a"/></def>'), /^Cannot read <ref>: found "a"/],
    [
      pool(device(1, single(0, 100))),
      'Cannot read <single_mapping>: found data block 100, nr_data_blocks is 100 (line 3, column 46)',
    ],
    [
      pool(device(2, range(0, 99, 2))),
      'Cannot read <range_mapping>: found data block 100, nr_data_blocks is 100 (line 3, column 45)',
    ],
    [pool(device(1, single(0, 2 ** 40))), /data_block is 1099511627776, at most 1099511627775/],
    [pool(device(1, single(0, 0, 16_777_216))), /time is 16777216, at most 16777215/],
    [pool(device(1, range(0, 0, 1, 16_777_216))), /time is 16777216, at most 16777215/],
    [
      pool(device(0, range(0, 0, 0))),
      'Cannot read <range_mapping>: length is 0, at least 1 is wanted (line 3, column 56)',
    ],
    [pool(device(1, single('9007199254740991', 0))), /origin_block is 9007199254740991, at most 9007199254740990/],
    [pool(device(1, range('9007199254740990', 0, 2))), /length is 2, at most 1 is allowed/],
    [
      pool(device(2, single(5, 0) + single(4, 1))),
      'Cannot read <single_mapping>: found virtual block 4 behind 5, device mappings in increasing order are wanted (line 4, column 31)',
    ],
    [
      pool(device(2, single(5, 0) + single(5, 1))),
      /found virtual block 5 behind 5, device mappings in increasing order/,
    ],
    [pool(device(4, range(5, 0, 3) + single(7, 1))), /found virtual block 7 behind 7, device mappings in increasing/],
    [pool(device(4, single(7, 1) + range(5, 0, 3))), /found virtual block 5 behind 7, device mappings in increasing/],
    [
      pool(`<def name="a">${range(5, 0, 3)}</def>${device(4, `${single(5, 9)}<ref name="a"/>`)}`),
      /^Cannot read <ref>: found virtual block 5 behind 5, device mappings in increasing order are wanted/,
    ],
    [
      pool(`<def name="a">${range(5, 0, 3)}</def>${device(4, `<ref name="a"/>${single(7, 9)}`)}`),
      /^Cannot read <single_mapping>: found virtual block 7 behind 7/,
    ],
    [
      pool(`<def name="a">${single(1, 0)}${single(0, 0)}</def>`),
      /^Cannot read <single_mapping>: found virtual block 0/,
    ],
  ] as [string, string | RegExp][])('%s', (text, message) => {
    expect(failure(text)).toEqual(typeof message === 'string' ? message : expect.stringMatching(message));
  });

  test('and then has not told of the end', () => {
    const log = new Log();
    expect(() => readThinXml([encode(pool(device(2, single(0, 0))))], log)).toThrow(ParseError);
    expect(log.calls.at(-1)).toEqual([0, 0, 1, 0]);
  });
});

describe('`readThinXmlAsync()`', () => {
  const text = pool(device(1, single(0, 0)));

  test('reads as `readThinXml()` does', async () => {
    async function* source(): AsyncGenerator<Uint8Array> {
      for (const byte of encode(text)) yield Uint8Array.of(byte);
    }
    const log = new Log();
    await readThinXmlAsync(source(), log);
    expect(log.calls).toEqual(read(text));
    await expect(readThinXmlAsync([encode(SUPERBLOCK)], new Log())).rejects.toThrow(ParseError);
  });

  test('applies overrides', async () => {
    const log = new Log();
    await readThinXmlAsync([encode(text)], log, { overrides: { transaction: 9 } });
    expect(log.calls[0]).toEqual(['superblock', expect.objectContaining({ transaction: 9 })]);
  });
});
