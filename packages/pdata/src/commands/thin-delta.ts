/** `thin_delta`: what two devices map in common, and what not. */

import { type DeltaSide, ThinDeltaWriter, ThinImage, thinDelta } from 'persistent-data/thin';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { openMetadataInput } from '../files.ts';
import { printJson } from '../print-json.ts';
import { writeStdout } from '../standard-output.ts';

/** One side as given: by device or by root. @throws {Error} when there is none. */
function sideFrom(args: Arguments, which: 1 | 2): DeltaSide {
  const device = args.number(`thin${which}`) ?? args.number(`snap${which}`);
  if (device !== undefined) return { device };
  const root = args.number(`root${which}`);
  if (root === undefined) throw new Error(`--thin${which} or --root${which} not specified`);
  return { root };
}

export function run(args: Arguments): number {
  const left = sideFrom(args, 1);
  const right = sideFrom(args, 2);
  const device = openMetadataInput(args.operand(0), args.has('metadata-snap'));
  try {
    const image = new ThinImage(device, { metadataSnapshot: args.has('metadata-snap') });
    const roots = image.roots();
    const rootOf = ({ device: id, root }: DeltaSide, which: number): number => {
      const found = id === undefined ? root : roots.get(id);
      if (found === undefined) throw new Error(`Unable to find mapping tree for snap${which} (${id})`);
      return found;
    };
    const leftRoot = rootOf(left, 1);
    const rightRoot = rootOf(right, 2);
    if (args.has('json')) printDelta(image, { left, right, leftRoot, rightRoot });
    else {
      const { time, transactionId: transaction, dataBlockSize, dataSpaceMapRoot } = image.superblock;
      const writer = new ThinDeltaWriter(writeStdout, { isVerbose: args.has('verbose') });
      writer.begin(
        { uuid: '', time, transaction, dataBlockSize, nrDataBlocks: dataSpaceMapRoot.nrBlocks },
        left,
        right,
      );
      thinDelta(image, leftRoot, rightRoot, writer.visit, { isExact: args.has('exact') });
      writer.end();
    }
  } finally {
    device.close();
  }
  return EXIT.ok;
}

interface Sides {
  readonly left: DeltaSide;
  readonly right: DeltaSide;
  readonly leftRoot: number;
  readonly rightRoot: number;
}

/** Runs are exact here: the data blocks hold for their whole length. */
function printDelta(image: ThinImage, { left, right, leftRoot, rightRoot }: Sides): void {
  const runs: object[] = [];
  thinDelta(
    image,
    leftRoot,
    rightRoot,
    (kind, begin, length, leftData, rightData) => {
      const data = { ...(leftData < 0 ? {} : { leftData }), ...(rightData < 0 ? {} : { rightData }) };
      runs.push({ kind, begin, length, ...data });
    },
    { isExact: true },
  );
  printJson({ version: 1, left, right, runs });
}
