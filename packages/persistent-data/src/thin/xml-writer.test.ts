import { expect, test } from 'vitest';
import { readThinXml, ThinXmlWriter } from './xml.ts';

function written(write: (writer: ThinXmlWriter) => void): string {
  let text = '';
  write(
    new ThinXmlWriter((bytes) => {
      text += new TextDecoder().decode(bytes);
    }),
  );
  return text;
}

const DEVICE = { devId: 1, mappedBlocks: 3, transaction: 4, creationTime: 5, snapTime: 6 };

test('`ThinXmlWriter` writes what version 1.x does', () => {
  const text = written((writer) => {
    writer.superblockBegin({ uuid: '', time: 15, transaction: 21, dataBlockSize: 128, nrDataBlocks: 65_536 });
    writer.defBegin('18');
    writer.map(12_590, 140, 1, 0);
    writer.defEnd();
    writer.deviceBegin(DEVICE);
    writer.map(0, 7, 2, 1);
    writer.ref('18');
    writer.deviceEnd();
    writer.superblockEnd();
  });
  expect(
    text,
  ).toBe(`<superblock uuid="" time="15" transaction="21" version="2" data_block_size="128" nr_data_blocks="65536">
  <def name="18">
    <single_mapping origin_block="12590" data_block="140" time="0"/>
  </def>
  <device dev_id="1" mapped_blocks="3" transaction="4" creation_time="5" snap_time="6">
    <range_mapping origin_begin="0" data_begin="7" length="2" time="1"/>
    <ref name="18"/>
  </device>
</superblock>`);
});

test('`ThinXmlWriter` writes optional attributes where they are given, and a pool without devices', () => {
  const text = written((writer) => {
    writer.superblockBegin({
      uuid: 'a"b',
      time: 0,
      transaction: 0xffff_ffff_ffff_ffffn,
      flags: 1,
      version: 1,
      dataBlockSize: 2048,
      nrDataBlocks: 0,
      metadataSnap: 7,
    });
    writer.superblockEnd();
  });
  expect(text).toBe(
    '<superblock uuid="a&quot;b" time="0" transaction="18446744073709551615" flags="1" version="1" ' +
      'data_block_size="2048" nr_data_blocks="0" metadata_snap="7">\n</superblock>',
  );
});

test('`ThinXmlWriter` reads back what it wrote of a device without mappings', () => {
  const text = written((writer) => {
    writer.superblockBegin({ uuid: '', time: 0, transaction: 0, dataBlockSize: 128, nrDataBlocks: 1 });
    writer.deviceBegin({ ...DEVICE, mappedBlocks: 0 });
    writer.deviceEnd();
    writer.superblockEnd();
  });
  expect(text).toContain('snap_time="6">\n  </device>\n</superblock>');
  expect(written((writer) => readThinXml([new TextEncoder().encode(text)], writer))).toBe(text);
});

test.each(['0', '18', '9007199254740991', '007', '-1', '1e3', '1.5', '9007199254740993', 'a<b', ' 1'])(
  '`ThinXmlWriter.ref()` writes the name %s as it is',
  (name) => {
    const superblock = { uuid: '', time: 0, transaction: 0, dataBlockSize: 128, nrDataBlocks: 1 };
    const text = written((writer) => {
      writer.superblockBegin(superblock);
      writer.defBegin(name);
      writer.defEnd();
      writer.deviceBegin({ ...DEVICE, mappedBlocks: 0 });
      writer.ref(name);
      writer.deviceEnd();
      writer.superblockEnd();
    });
    const quoted = name.replace('<', '&lt;');
    expect(text).toContain(`\n  <def name="${quoted}">`);
    expect(text).toContain(`\n    <ref name="${quoted}"/>`);
  },
);
