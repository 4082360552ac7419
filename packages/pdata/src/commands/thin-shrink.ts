/** `thin_shrink`: makes a pool's data fit into fewer blocks, and moves it. */

import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { FileDevice } from 'persistent-data/io';
import {
  type BlockMove,
  dumpThin,
  planShrink,
  readThinXml,
  ShrinkSurvey,
  ShrinkVisitor,
  ThinRestore,
  type ThinVisitor,
  type ThinXmlSuperblock,
  ThinXmlWriter,
} from 'persistent-data/thin';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { openDataDevice } from '../data-device.ts';
import { checkInputFile, checkOutputFile, openMetadataInput, refuseSameFile } from '../files.ts';
import { printJson } from '../print-json.ts';
import { Report } from '../report.ts';

const CHUNK_BYTES = 1 << 20;

/** Reads the metadata; more than once. */
type Source = (visitor: ThinVisitor) => void;

export function run(args: Arguments): number {
  const nrBlocks = args.number('nr-blocks')!;
  const input = args.required('input');
  const output = args.required('output');
  const asJson = args.has('json');
  const report = new Report({ quiet: args.has('quiet') || asJson });
  checkInputFile(input);
  checkInputFile(args.required('data'));
  const isBinary = args.has('binary');
  if (isBinary) {
    checkOutputFile(output);
    refuseSameFile(input, output);
  }
  const device = isBinary ? openMetadataInput(input, false) : undefined;
  try {
    const source: Source = (visitor) => {
      if (device === undefined) readThinXml(chunksOf(input), visitor);
      else dumpThin(device, visitor);
    };
    const { moves, superblock } = plan(source, nrBlocks);
    if (!args.has('no-copy')) moveData(args.required('data'), moves, superblock.dataBlockSize * 512, report);
    write({ source, moves, nrBlocks, output, isBinary });
    if (asJson) printJson({ version: 1, output, nrMoved: moves.reduce((sum, { length }) => sum + length, 0), moves });
  } finally {
    device?.close();
  }
  return EXIT.ok;
}

function plan(source: Source, nrBlocks: number): { moves: BlockMove[]; superblock: ThinXmlSuperblock } {
  let superblock: ThinXmlSuperblock | undefined;
  class Survey extends ShrinkSurvey {
    override superblockBegin(found?: ThinXmlSuperblock): void {
      superblock = found;
    }
  }
  const survey = new Survey(nrBlocks);
  source(survey);
  if (superblock === undefined) throw new Error('missing superblock');
  return { moves: planShrink(survey), superblock };
}

/** Copies before any metadata is written: until then the pool is as it was, as nothing in use is overwritten. */
function moveData(path: string, moves: readonly BlockMove[], blockBytes: number, report: Report): void {
  if (moves.length === 0) return;
  const data = openDataDevice(path, 'r+');
  const progress = report.progress('blocks');
  const buffer = new Uint8Array(Math.max(blockBytes, 4 << 20));
  const total = moves.reduce((sum, { length }) => sum + length, 0);
  let done = 0;
  try {
    for (const { from, to, length } of moves) {
      const bytes = length * blockBytes;
      for (let at = 0; at < bytes; ) {
        const piece = buffer.subarray(0, Math.min(buffer.length, bytes - at));
        const got = readSync(data.fd, piece, 0, piece.length, from * blockBytes + at);
        if (got === 0) throw new Error(`the data device ends before data block ${from + length}`);
        let written = 0;
        while (written < got) {
          written += writeSync(data.fd, piece, written, got - written, to * blockBytes + at + written);
        }
        at += got;
      }
      done += length;
      progress.update(done, total);
    }
    fsyncSync(data.fd);
  } finally {
    progress.end();
    closeSync(data.fd);
  }
}

interface Shrunk {
  readonly source: Source;
  readonly moves: readonly BlockMove[];
  readonly nrBlocks: number;
  readonly output: string;
  readonly isBinary: boolean;
}

function write({ source, moves, nrBlocks, output, isBinary }: Shrunk): void {
  if (isBinary) {
    const target = FileDevice.open(output);
    try {
      source(new ShrinkVisitor(new ThinRestore(target), nrBlocks, moves));
    } finally {
      target.close();
    }
    return;
  }
  const fd = openSync(output, 'w');
  try {
    const writer = new ThinXmlWriter((bytes) => {
      for (let offset = 0; offset < bytes.length; ) offset += writeSync(fd, bytes, offset, bytes.length - offset);
    });
    source(new ShrinkVisitor(writer, nrBlocks, moves));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function* chunksOf(path: string): Generator<Uint8Array> {
  const fd = openSync(path, 'r');
  try {
    const buffer = new Uint8Array(CHUNK_BYTES);
    for (let got = readSync(fd, buffer); got > 0; got = readSync(fd, buffer)) yield buffer.subarray(0, got);
  } finally {
    closeSync(fd);
  }
}
