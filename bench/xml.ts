/*
 * Speed of reading and writing thin metadata as XML.
 *
 *   npx tsx bench/xml.ts [NR_MAPPINGS]    makes a fragmented pool of 2 million single mappings (or as many as asked for) in memory
 *   npx tsx bench/xml.ts FILE             reads a dump instead
 *
 * Prints the best of five runs of each. Megabytes are 10^6 bytes of XML.
 *
 * Recorded with Node 20.20.2 on a virtual machine with two cores (Intel Xeon), other work going on:
 *
 *   147.1 MB, 2000000 runs, 2000000 mappings
 *   readThinXml, all checks, from memory           431 MB/s
 *   ThinXmlWriter                                  652 MB/s
 *   ThinHumanWriter                                362 MB/s
 *   saxes 6, for comparison, a tenth of the text    66 MB/s
 */

import { openSync, readFileSync, readSync, statSync } from 'node:fs';
import { SaxesParser } from 'saxes';
import {
  MappingRuns,
  readThinXml,
  ThinHumanWriter,
  type ThinVisitor,
  ThinXmlWriter,
} from '../packages/persistent-data/src/thin/xml.ts';

const NR_RUNS = 5;
const NR_DEVICES = 4;
const CHUNK_BYTES = 1 << 18;

/** Takes everything and adds up, so that nothing can be left out. */
class Sum implements ThinVisitor {
  sum = 0;
  nrMapped = 0;
  superblockBegin(): void {}
  superblockEnd(): void {}
  defBegin(): void {}
  defEnd(): void {}
  deviceBegin(): void {}
  deviceEnd(): void {}
  ref(): void {}
  map(originBegin: number, dataBegin: number, length: number, time: number): void {
    this.sum += originBegin + dataBegin + time;
    this.nrMapped += length;
  }
}

/** Remembers the mappings, to be written again and again. */
class Recording extends Sum {
  readonly origins: number[] = [];
  readonly data: number[] = [];
  readonly lengths: number[] = [];
  override map(originBegin: number, dataBegin: number, length: number, time: number): void {
    super.map(originBegin, dataBegin, length, time);
    this.origins.push(originBegin);
    this.data.push(dataBegin);
    this.lengths.push(length);
  }
}

/** Data blocks in random order, virtual blocks with gaps: what is left of a pool after years of use. */
function fragmentedPool(nrMappings: number, visitor: ThinVisitor): void {
  const perDevice = Math.floor(nrMappings / NR_DEVICES);
  const blocks = new Uint32Array(nrMappings).map((_, i) => i);
  let seed = 12345;
  const random = () => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return seed >>> 0;
  };
  for (let i = nrMappings - 1; i > 0; i--) {
    const j = random() % (i + 1);
    [blocks[i], blocks[j]] = [blocks[j]!, blocks[i]!];
  }
  visitor.superblockBegin({ uuid: '', time: 1, transaction: 1, dataBlockSize: 128, nrDataBlocks: nrMappings });
  for (let device = 0; device < NR_DEVICES; device++) {
    const runs = new MappingRuns(visitor);
    visitor.deviceBegin({ devId: device, mappedBlocks: perDevice, transaction: 0, creationTime: 0, snapTime: 0 });
    let origin = 0;
    for (let i = 0; i < perDevice; i++) {
      origin += 1 + (random() & 3);
      runs.add(origin, blocks[device * perDevice + i]!, 0);
    }
    runs.flush();
    visitor.deviceEnd();
  }
  visitor.superblockEnd();
}

function* chunks(text: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < text.length; at += CHUNK_BYTES) yield text.subarray(at, at + CHUNK_BYTES);
}

function* fileChunks(path: string): Generator<Uint8Array> {
  const file = openSync(path, 'r');
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (;;) {
    const length = readSync(file, buffer);
    if (length === 0) return;
    yield buffer.subarray(0, length);
  }
}

/** Runs `work`, which says how many bytes it has seen, and prints the best speed. */
function measure(title: string, work: () => number): void {
  let best = 0;
  for (let run = 0; run < NR_RUNS; run++) {
    const begin = performance.now();
    const nrBytes = work();
    best = Math.max(best, nrBytes / 1000 / (performance.now() - begin));
  }
  console.log(` *   ${title.padEnd(44)} ${best.toFixed(0).padStart(5)} MB/s`);
}

function write(recording: Recording, Writer: new (sink: (bytes: Uint8Array) => void) => ThinVisitor): number {
  let nrBytes = 0;
  const writer = new Writer((bytes) => {
    nrBytes += bytes.length;
  });
  writer.superblockBegin({ uuid: '', time: 1, transaction: 1, dataBlockSize: 128, nrDataBlocks: 1 });
  writer.deviceBegin({ devId: 1, mappedBlocks: recording.nrMapped, transaction: 0, creationTime: 0, snapTime: 0 });
  const { origins, data, lengths } = recording;
  for (let i = 0; i < origins.length; i++) writer.map(origins[i]!, data[i]!, lengths[i]!, 0);
  writer.deviceEnd();
  writer.superblockEnd();
  return nrBytes;
}

function readWithSaxes(text: Uint8Array): number {
  const parser = new SaxesParser();
  let sum = 0;
  parser.on('opentag', ({ attributes }) => {
    sum += Number(attributes.origin_block ?? 0) + Number(attributes.data_block ?? 0);
  });
  const decoder = new TextDecoder();
  for (const chunk of chunks(text)) parser.write(decoder.decode(chunk, { stream: true }));
  parser.close();
  return sum > 0 ? text.length : 0;
}

function makeText(nrMappings: number): Uint8Array {
  const parts: Uint8Array[] = [];
  fragmentedPool(nrMappings, new ThinXmlWriter((bytes) => parts.push(bytes.slice())));
  const text = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    text.set(part, at);
    at += part.length;
  }
  return text;
}

const [argument = '2000000'] = process.argv.slice(2);
const isFile = !/^\d+$/.test(argument);
const text = isFile ? readFileSync(argument) : makeText(Number(argument));
const recording = new Recording();
readThinXml(chunks(text), recording);
console.log(
  ` *   ${(text.length / 1e6).toFixed(1)} MB, ${recording.origins.length} runs, ${recording.nrMapped} mappings`,
);

measure('readThinXml, all checks, from memory', () => {
  readThinXml(chunks(text), new Sum());
  return text.length;
});
if (isFile) {
  measure('readThinXml, all checks, from the file', () => {
    readThinXml(fileChunks(argument), new Sum());
    return statSync(argument).size;
  });
}
measure('ThinXmlWriter', () => write(recording, ThinXmlWriter));
measure('ThinHumanWriter', () => write(recording, ThinHumanWriter));
measure('saxes 6, for comparison, a tenth of the text', () => {
  const begin = text.subarray(0, text.length / 10);
  const nrBytes = begin.lastIndexOf(0x3e) + 1;
  const tail = new TextEncoder().encode('</device></superblock>');
  const part = new Uint8Array(nrBytes + tail.length);
  part.set(begin.subarray(0, nrBytes));
  part.set(tail, nrBytes);
  return readWithSaxes(part);
});
