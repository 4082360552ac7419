// gen-xml.mjs KIND OUT [params]   writes dm metadata XML in the format of thin_restore / cache_restore / era_restore.
//   thin-seq   OUT [N=1e6]                 one device, N mappings, one range
//   thin-frag  OUT [N=1e7] [DEVS=4]        N single mappings over DEVS devices, data blocks in random order
//   thin-snaps OUT [N=1e6] [S=100] [D=1000]  S snapshots of N mappings, each differs in D single blocks; no sharing in the XML
//   thin-snaps-def OUT ...                 the same, shared parts through <def>/<ref> (Rust tools only)
//   cache      OUT [N=1e6]                 N cache blocks, all mapped, every 3rd dirty, 4-byte hints
//   era        OUT [N=1e6] [W=3]           N blocks, W writesets (bit runs), era array
import fs from 'node:fs';

const [, , kind, out, ...a] = process.argv;
const num = (i, d) => (a[i] === undefined ? d : Number(a[i]));
const fd = fs.openSync(out, 'w');
let parts = [],
  size = 0;
const w = (s) => {
  parts.push(s);
  size += s.length;
  if (size > 1 << 20) flush();
};
const flush = () => {
  if (size) fs.writeSync(fd, parts.join(''));
  parts = [];
  size = 0;
};
function rng(seed) {
  let s = seed >>> 0;
  return () => {
    s ^= s << 13;
    s >>>= 0;
    s ^= s >>> 17;
    s ^= s << 5;
    s >>>= 0;
    return s;
  };
}
function perm(n, seed) {
  const p = new Uint32Array(n);
  for (let i = 0; i < n; i++) p[i] = i;
  const r = rng(seed);
  for (let i = n - 1; i > 0; i--) {
    const j = r() % (i + 1);
    const t = p[i];
    p[i] = p[j];
    p[j] = t;
  }
  return p;
}
const head = (nb) =>
  w(`<superblock uuid="" time="1" transaction="1" version="2" data_block_size="128" nr_data_blocks="${nb}">\n`);
const dev = (id, n) =>
  w(`  <device dev_id="${id}" mapped_blocks="${n}" transaction="0" creation_time="0" snap_time="0">\n`);
if (kind === 'thin-seq') {
  const n = num(0, 1e6);
  head(n);
  dev(1, n);
  w(`    <range_mapping origin_begin="0" data_begin="0" length="${n}" time="0"/>\n  </device>\n</superblock>\n`);
} else if (kind === 'thin-frag') {
  const n = num(0, 1e7),
    d = num(1, 4),
    per = Math.floor(n / d),
    p = perm(n, 12345),
    r = rng(99);
  head(n);
  for (let k = 0; k < d; k++) {
    dev(k + 1, per);
    let o = 0;
    for (let i = 0; i < per; i++) {
      o += 1 + (r() & 3);
      w(`    <single_mapping origin_block="${o}" data_block="${p[k * per + i]}" time="0"/>\n`);
    }
    w('  </device>\n');
  }
  w('</superblock>\n');
} else if (kind === 'thin-snaps' || kind === 'thin-snaps-def') {
  const def = kind === 'thin-snaps-def',
    n = num(0, 1e6),
    s = num(1, 100),
    D = num(2, 1000),
    chunk = n / D; // one change in each of D chunks
  head(n + s * D);
  // D changes clustered: chunk c of snapshot k is private iff (c % s) === k ... at most D/s chunks differ per snapshot in def mode
  if (def) {
    for (let c = 0; c < D; c++)
      w(
        `  <def name="c${c}">\n    <range_mapping origin_begin="${c * chunk}" data_begin="${c * chunk}" length="${chunk}" time="0"/>\n  </def>\n`,
      );
  }
  let priv = n;
  for (let k = 0; k < s; k++) {
    dev(k + 1, n);
    for (let c = 0; c < D; c++) {
      const b = c * chunk;
      if (c % s === k) {
        // private chunk: 10 blocks of it rewritten
        const m = b + (chunk >> 1);
        w(`    <range_mapping origin_begin="${b}" data_begin="${b}" length="${m - b}" time="0"/>\n`);
        w(`    <range_mapping origin_begin="${m}" data_begin="${priv}" length="10" time="1"/>\n`);
        priv += 10;
        w(
          `    <range_mapping origin_begin="${m + 10}" data_begin="${m + 10}" length="${b + chunk - m - 10}" time="0"/>\n`,
        );
      } else if (def) w(`    <ref name="c${c}"/>\n`);
      else w(`    <range_mapping origin_begin="${b}" data_begin="${b}" length="${chunk}" time="0"/>\n`);
    }
    w('  </device>\n');
  }
  w('</superblock>\n');
} else if (kind === 'cache') {
  const n = num(0, 1e6),
    p = perm(n, 777);
  w(`<superblock uuid="" block_size="128" nr_cache_blocks="${n}" policy="smq" hint_width="4">\n  <mappings>\n`);
  for (let i = 0; i < n; i++) w(`    <mapping cache_block="${i}" origin_block="${p[i]}" dirty="${i % 3 === 0}"/>\n`);
  w('  </mappings>\n  <hints>\n');
  for (let i = 0; i < n; i++) w(`    <hint cache_block="${i}" data="${i & 1 ? 'AQAAAA==' : 'AgAAAA=='}"/>\n`);
  w('  </hints>\n</superblock>\n');
} else if (kind === 'era') {
  const n = num(0, 1e6),
    W = num(1, 3),
    r = rng(5);
  w(`<superblock uuid="" block_size="128" nr_blocks="${n}" current_era="${W + 19}">\n`);
  for (let e = 0; e < W; e++) {
    w(`  <writeset era="${20 + e}" nr_bits="${n}">\n`);
    for (let i = 0; i < n; i++) w(`    <bit block="${i}" value="${(r() & 7) === 0 ? 'true' : 'false'}"/>\n`);
    w('  </writeset>\n');
  }
  w('  <era_array>\n');
  for (let i = 0; i < n; i++) w(`    <era block="${i}" era="${r() % 20}"/>\n`);
  w('  </era_array>\n</superblock>\n');
} else {
  console.error('unknown kind');
  process.exit(2);
}
flush();
fs.closeSync(fd);
