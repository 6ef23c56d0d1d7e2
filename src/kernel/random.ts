/** Where randomness comes from: the machine, or a seed that makes a run repeatable. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** Fills and returns `bytes`. From `systemRandom` they are fit for secrets; from a seed they never are. */
  fill(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>;
}

/** The machine's randomness. `fill` is cryptographic and takes up to 65 536 bytes at a time; `next` is for jitter. */
export const systemRandom: Random = {
  next: () => Math.random(),
  fill: (bytes) => crypto.getRandomValues(bytes),
};

/** Randomness that is the same for the same seed (the sfc32 generator). For tests and simulations only. */
export function seededRandom(seed: number): Random {
  let a = seed | 0;
  let b = 0x9e3779b9 | 0;
  let c = 0x243f6a88 | 0;
  let counter = 1;
  const nextWord = (): number => {
    const word = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + word) | 0;
    return word >>> 0;
  };
  // The first words still show the seed's pattern; twelve rounds are what the generator's author advises.
  for (let round = 0; round < 12; round += 1) nextWord();
  return {
    next: () => nextWord() / 0x1_0000_0000,
    fill: (bytes) => {
      for (let index = 0; index < bytes.length; index += 1) bytes[index] = nextWord() & 0xff;
      return bytes;
    },
  };
}

/** 128 bits: enough that two ids never meet and a secret cannot be guessed. */
const ID_BYTES = 16;

/** An unguessable id of 32 hexadecimal digits. */
export function randomId(random: Random): string {
  let id = '';
  for (const byte of random.fill(new Uint8Array(ID_BYTES))) id += byte.toString(16).padStart(2, '0');
  return id;
}
