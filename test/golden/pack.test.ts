/** Packing and unpacking works for the metadata of caches and era devices too, and so does what 1.1.0 of the tools packs. */

import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync, inflateSync } from 'node:zlib';
import { Slab } from 'persistent-data/base';
import { dumpEraXml } from 'persistent-data/era';
import { metadataBlockKind } from 'persistent-data/format';
import { MemoryDevice } from 'persistent-data/io';
import { packMetadata, unpackMetadata, type ZlibCodec } from 'persistent-data/thin';
import { afterAll, describe, expect, test } from 'vitest';
import { unpackedTools } from '../interop/tools.ts';
import { goldenImages } from './image.ts';

const BLOCK = 4096;
const zlib: ZlibCodec = {
  deflate: (bytes) => deflateSync(bytes),
  inflate: (bytes, maxBytes) => inflateSync(bytes, { maxOutputLength: maxBytes }),
};

function pack(bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  packMetadata(MemoryDevice.from(bytes), (part) => parts.push(part.slice()), { zlib });
  return Buffer.concat(parts);
}

function unpack(packed: Uint8Array): Uint8Array {
  let at = 0;
  let device = new MemoryDevice({ nrBlocks: 0 });
  const read = (buffer: Uint8Array): number => {
    const part = packed.subarray(at, at + buffer.length);
    buffer.set(part);
    at += part.length;
    return part.length;
  };
  unpackMetadata(
    { read },
    {
      zlib,
      target: (nrBlocks) => {
        device = new MemoryDevice({ nrBlocks });
        return device;
      },
    },
  );
  return device.toBytes();
}

/** The image with zeros in place of all that is no block of metadata. */
function metadataOnly(bytes: Uint8Array): Uint8Array {
  const slab = Slab.ofSize(bytes.length);
  slab.bytes.set(bytes);
  for (let base = 0; base < slab.words.length; base += BLOCK / 4) {
    if (metadataBlockKind(slab.words, base) === undefined) slab.words.fill(0, base, base + BLOCK / 4);
  }
  return slab.bytes;
}

const cases = [...goldenImages('cache'), ...goldenImages('era')].map(
  (image) => [`${image.family}/${image.name}`, image] as const,
);

test.each(cases)('%s comes out as it went in', (_, image) => {
  const bytes = image.bytes();
  const packed = pack(bytes);
  expect(packed.length).toBeLessThan(bytes.length / 4);
  const unpacked = unpack(packed);
  expect(Buffer.compare(unpacked, metadataOnly(bytes))).toBe(0);
  if (image.family === 'era') {
    expect(dumpEraXml(MemoryDevice.from(unpacked))).toBe(image.record('dump-1.1.xml'));
  }
});

const tools = unpackedTools();

describe.skipIf(tools === undefined)('version 1.1.0', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pdata-pack-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const [raw, packed] = [join(folder, 'raw'), join(folder, 'packed')];

  test('unpacks what we packed, and we what it packed', { timeout: 60_000 }, () => {
    for (const [name, image] of cases.filter((_, i) => i % 3 === 0)) {
      const bytes = image.bytes();
      writeFileSync(packed, pack(bytes));
      writeFileSync(raw, '');
      truncateSync(raw, bytes.length);
      expect(tools!.run('thin_metadata_unpack', '-f', '-i', packed, '-o', raw), name).toMatchObject({ status: 0 });
      expect([name, Buffer.compare(readFileSync(raw), metadataOnly(bytes))]).toEqual([name, 0]);
      writeFileSync(raw, bytes);
      expect(tools!.run('thin_metadata_pack', '-f', '-i', raw, '-o', packed), name).toMatchObject({ status: 0 });
      expect([name, Buffer.compare(unpack(readFileSync(packed)), metadataOnly(bytes))]).toEqual([name, 0]);
    }
  });
});
