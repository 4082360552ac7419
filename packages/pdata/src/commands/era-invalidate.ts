/** `era_invalidate`: lists the blocks that were written since an era. */

import { type WrittenSinceOptions, writtenSince } from 'persistent-data/era';
import { Literal, XmlWriter } from 'persistent-data/xml';
import type { Arguments } from '../arguments.ts';
import { runDump } from '../dump-command.ts';

const RANGE = new Literal('\n  <range begin="');
const END = new Literal('" end="');
const BLOCK = new Literal('\n  <block block="');
const CLOSE = new Literal('"/>');

export function run(args: Arguments): number {
  const era = args.number('written-since') ?? 0;
  const isLive = args.has('metadata-snapshot');
  const options: WrittenSinceOptions = {
    metadataSnapshot: args.number('metadata-snapshot') ?? isLive,
    withCurrent: args.has('with-current'),
  };
  return runDump(args, isLive, ({ device, sink, onProgress }) => {
    const writer = new XmlWriter(sink);
    const asJson = args.has('json');
    let isFirst = true;
    // Written as it comes: a list of half a million blocks takes no memory.
    const addRange = (begin: number, end: number): void => {
      writer.text(`${isFirst ? '' : ','}\n    { "begin": ${begin}, "end": ${end} }`);
      isFirst = false;
    };
    const addElement = (begin: number, end: number): void => {
      writer.literal(end === begin + 1 ? BLOCK : RANGE);
      writer.decimal(begin);
      if (end !== begin + 1) {
        writer.literal(END);
        writer.decimal(end);
      }
      writer.literal(CLOSE);
    };
    if (asJson) writer.text(`{\n  "version": 1,\n  "writtenSince": ${era},\n  "ranges": [`);
    else writer.open('blocks');
    writtenSince(device, era, asJson ? addRange : addElement, { ...options, onProgress });
    if (asJson) writer.text(`${isFirst ? '' : '\n  '}]\n}\n`);
    else writer.close();
    writer.flush();
  });
}
