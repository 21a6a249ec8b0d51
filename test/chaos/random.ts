/** Chances that repeat: the same seed gives the same faults in the same order, if not at the same instants. */
export interface Random {
  /** From 0 up to, but not including, `below`. */
  integer(below: number): number;
  /** Milliseconds, say. */
  between(least: number, most: number): number;
  pick<T>(choices: readonly T[]): T;
  chance(probability: number): boolean;
}

/** mulberry32. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const integer = (below: number) => Math.floor(next() * below);
  return {
    integer,
    between: (least, most) => least + next() * (most - least),
    pick: <T>(choices: readonly T[]) => choices[integer(choices.length)] as T,
    chance: (probability) => next() < probability,
  };
}
