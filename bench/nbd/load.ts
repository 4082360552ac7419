import { NbdClient } from 'persistent-data/nbd';
import { run } from './server-process.ts';

/** What one run of a load gave. */
export interface LoadFigures {
  readonly iops: number;
  readonly mib: number;
  readonly nrRequests: number;
}

interface FioSide {
  readonly total_ios: number;
  readonly iops: number;
  readonly bw: number;
}

/** Loads an export by fio's nbd engine. @param argv - Of the job: what, how large, how deep, how long. */
export function runFio(uri: string, argv: readonly string[]): LoadFigures {
  const common = ['--name=job', '--ioengine=nbd', `--uri=${uri}`, '--output-format=json', '--randseed=20'];
  const text = run('fio', [...common, ...argv]);
  const { jobs } = JSON.parse(text.slice(text.indexOf('{'))) as {
    readonly jobs: readonly { readonly error: number; readonly read: FioSide; readonly write: FioSide }[];
  };
  const job = jobs[0]!;
  if (job.error !== 0) throw new Error(`Cannot measure ${uri}: fio has met error ${job.error}`);
  const side = job.read.total_ios > 0 ? job.read : job.write;
  return { iops: side.iops, mib: side.bw / 1024, nrRequests: side.total_ios };
}

const WRITE_BYTES = 4096;

/**
 * Writes with FUA, scattered over the export, for some seconds. fio's engine cannot: it knows neither FUA nor a flush of each of many writes.
 * @param depth - So many are under way at any time.
 */
export async function writeFua(
  uri: string,
  { depth, seconds, sizeBytes }: { readonly depth: number; readonly seconds: number; readonly sizeBytes: number },
): Promise<LoadFigures> {
  const client = await NbdClient.connect(uri);
  const data = new Uint8Array(WRITE_BYTES).fill(0x5a);
  const nrPlaces = sizeBytes / WRITE_BYTES;
  let nrRequests = 0;
  const begin = performance.now();
  const end = begin + seconds * 1000;
  const one = async (): Promise<void> => {
    while (performance.now() < end) {
      await client.write(((nrRequests * 40_503) % nrPlaces) * WRITE_BYTES, data, { fua: true });
      nrRequests++;
    }
  };
  try {
    await Promise.all(Array.from({ length: depth }, one));
  } finally {
    await client.close();
  }
  const iops = nrRequests / ((performance.now() - begin) / 1000);
  return { iops, mib: (iops * WRITE_BYTES) / 2 ** 20, nrRequests };
}
