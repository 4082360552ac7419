// Keys and values that are the same in every run: value of key k in version g is ((k ^ 0x5a5a) + g) with 16 bits of the key above it.

/** xorshift32. */
export function generator(seed = 0x9e37_79b9) {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

export function inOrder(n, from = 0) {
  const keys = new Float64Array(n);
  for (let i = 0; i < n; i++) keys[i] = from + i;
  return keys;
}

/** n distinct keys in random order, one of each eight numbers. */
export function shuffled(n, random) {
  const keys = new Float64Array(n);
  for (let i = 0; i < n; i++) keys[i] = i * 8 + (random() & 7);
  for (let i = n - 1; i > 0; i--) {
    const j = random() % (i + 1);
    const key = keys[i];
    keys[i] = keys[j];
    keys[j] = key;
  }
  return keys;
}

export function sample(keys, count, random) {
  const some = new Float64Array(count);
  for (let i = 0; i < count; i++) some[i] = keys[random() % keys.length];
  return some;
}

/** The lower half of a value. */
export function lowOf(key, version) {
  return ((key ^ 0x5a5a) + version) >>> 0;
}

/** The values of keys, 8 bytes each. */
export function valuesOf(keys, version) {
  const words = new Uint32Array(2 * keys.length);
  for (let i = 0; i < keys.length; i++) {
    words[2 * i] = lowOf(keys[i], version);
    words[2 * i + 1] = keys[i] & 0xffff;
  }
  return new Uint8Array(words.buffer);
}

/** What a scan of these keys has to add up to. `versionOf` defaults to version 0 of all. */
export function sumsOf(keys, versionOf = () => 0) {
  let keySum = 0;
  let valSum = 0;
  for (const key of keys) {
    keySum = (keySum + key) >>> 0;
    valSum = (valSum + lowOf(key, versionOf(key))) >>> 0;
  }
  return { keySum, valSum };
}
