/** A process that is going to be killed: plays a script on a file, and says after each step what is committed. See `sigkill.ts`. */

import { writeSync } from 'node:fs';
import { FileDevice } from 'persistent-data/io';
import { Random, ThinPlayer } from 'persistent-data/testing';
import { STORE_OPTIONS, thinLoad } from './sigkill.ts';
import { StorePlayer } from './store-player.ts';
import { randomStoreScript } from './store-script.ts';

async function main(): Promise<void> {
  const [kind, path = '', seed] = process.argv.slice(2);
  const random = new Random(Number(seed));
  const tell = (acknowledged: number) => writeSync(1, `${acknowledged}\n`);
  if (kind === 'store') {
    const script = randomStoreScript(random, 4000, 300);
    // By its path, so that it can be compacted.
    const player = new StorePlayer(path, STORE_OPTIONS);
    player.open();
    tell(0);
    for (const step of script) {
      const waiting = player.play(step);
      if (waiting !== undefined) await waiting;
      tell(player.acknowledged);
    }
  } else {
    const { script, options } = thinLoad(random);
    const player = ThinPlayer.open(FileDevice.open(path, { create: true }), options);
    tell(0);
    for (const step of script) {
      const waiting = player.play(step);
      if (waiting !== undefined) await waiting;
      tell(player.acknowledged);
    }
  }
}

await main();
