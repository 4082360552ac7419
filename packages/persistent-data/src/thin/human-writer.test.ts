import { expect, test } from 'vitest';
import { ThinHumanWriter } from './human-writer.ts';

function written(write: (writer: ThinHumanWriter) => void): string {
  let text = '';
  write(
    new ThinHumanWriter((bytes) => {
      text += new TextDecoder().decode(bytes);
    }),
  );
  return text;
}

test('`ThinHumanWriter` writes what `thin_dump -f human_readable` does', () => {
  const text = written((writer) => {
    writer.superblockBegin({ uuid: '', time: 3, transaction: 5, dataBlockSize: 128, nrDataBlocks: 100 });
    writer.defBegin('61');
    writer.map(155, 235, 1, 0);
    writer.defEnd();
    writer.deviceBegin({ devId: 1, mappedBlocks: 5, transaction: 0, creationTime: 0, snapTime: 3 });
    writer.map(0, 10, 4, 0);
    writer.map(7, 20, 1, 1);
    writer.ref('61');
    writer.deviceEnd();
    writer.superblockEnd();
  });
  expect(text).toBe(`begin superblock: "", 3, 5, 0, 2, 128, 100
def: 61
    (155..155) -> (235..235), 0

device: 1
mapped_blocks: 5
transaction: 0
creation time: 0
snap time: 3
    (0..3) -> (10..13), 0
    (7..7) -> (20..20), 1
    ref: 61

end superblock
`);
});

test('`ThinHumanWriter` writes flags, version and the metadata snapshot where they are given', () => {
  const text = written((writer) => {
    const pool = { uuid: 'u', time: 0, transaction: 1n, dataBlockSize: 128, nrDataBlocks: 9 };
    writer.superblockBegin({ ...pool, flags: 1, version: 1, metadataSnap: 8 });
    writer.superblockEnd();
  });
  expect(text).toBe('begin superblock: "u", 0, 1, 1, 1, 128, 9, 8\nend superblock\n');
});
