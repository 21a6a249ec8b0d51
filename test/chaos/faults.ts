/** What befalls the fleet, one misfortune after the other; some last, and overlap with the next. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Member } from './fleet.js';
import type { Stage } from './stage.js';

export const faultKinds = [
  'gateway killed',
  'gateway restarted in order',
  'gateway paused',
  'database killed',
  'network cut',
  'network silent',
  'mail server gone',
  'clock stepped',
] as const;

export type FaultKind = (typeof faultKinds)[number];

export interface Fault {
  kind: FaultKind;
  /** Null: it befell all of them. */
  member: string | null;
  /** By `Date.now()`; `to` is when it had passed. */
  from: number;
  to: number;
}

/** What may make a mail go out a second time: none of the others excuses it. */
export const interrupting: readonly FaultKind[] = [
  'gateway killed',
  'gateway paused',
  'database killed',
  'network cut',
  'network silent',
  'mail server gone',
];

export interface Victim extends Pick<Stage, 'fleet' | 'mailNetwork' | 'killDatabase' | 'random'> {
  /** Milliseconds after which others take a gateway for dead. */
  silentFor: number;
  /** What may happen to it. */
  kinds: readonly FaultKind[];
  pauseMilliseconds: { least: number; most: number };
}

const MINUTE = 60_000;
const LASTING_MILLISECONDS = { least: 100, most: 4000 };
const CLOCK_STEP_MILLISECONDS = 20 * MINUTE;

type Misfortune = (stage: Victim, member: Member) => Promise<unknown>;

const lasting = ({ random }: Victim) => wait(random.between(LASTING_MILLISECONDS.least, LASTING_MILLISECONDS.most));

const misfortunes: Record<FaultKind, Misfortune> = {
  'gateway killed': async (_stage, member) => member.gateway?.end('SIGKILL'),
  'gateway restarted in order': async (_stage, member) => member.gateway?.end('SIGTERM'),
  'gateway paused': async ({ random, silentFor }, { gateway }) => {
    gateway?.child.kill('SIGSTOP');
    // Every other time so long that its jobs are taken over meanwhile.
    await wait(random.between(100, 1000) + (random.chance(0.5) ? silentFor * 1.3 : 0));
    gateway?.child.kill('SIGCONT');
  },
  'database killed': (stage) => stage.killDatabase(),
  'network cut': async (stage, { network }) => {
    network.cut();
    await lasting(stage);
    network.mend();
  },
  'network silent': async (stage, { network }) => {
    network.stall();
    await lasting(stage);
    // Every other time what was on its way is lost for good.
    if (stage.random.chance(0.5)) network.cut();
    network.mend();
  },
  'mail server gone': async (stage) => {
    stage.mailNetwork.cut();
    await lasting(stage);
    stage.mailNetwork.mend();
  },
  'clock stepped': async ({ fleet, random }, member) =>
    fleet.setClock(member, random.between(-CLOCK_STEP_MILLISECONDS, CLOCK_STEP_MILLISECONDS)),
};

export interface Misfortunes {
  faults: Fault[];
  /** No new ones; resolves when all have passed, and clocks are right again. */
  stop(): Promise<void>;
}

export function dealMisfortunes(stage: Victim): Misfortunes {
  const { fleet, random, kinds, pauseMilliseconds } = stage;
  const faults: Fault[] = [];
  const stopping = new AbortController();
  const lastingStill = new Set<Promise<unknown>>();
  const befall = (kind: FaultKind, member: Member) => {
    const isOfAll = kind === 'database killed' || kind === 'mail server gone';
    const fault: Fault = { kind, member: isOfAll ? null : member.name, from: Date.now(), to: Number.POSITIVE_INFINITY };
    faults.push(fault);
    const passed = misfortunes[kind](stage, member).finally(() => {
      fault.to = Date.now();
      lastingStill.delete(passed);
    });
    lastingStill.add(passed);
  };
  const deal = async () => {
    // Each kind once in every round, so that short runs see all of them.
    for (let bag: FaultKind[] = []; !stopping.signal.aborted; ) {
      await wait(random.between(pauseMilliseconds.least, pauseMilliseconds.most), undefined, stopping).catch(() => {});
      if (stopping.signal.aborted) return;
      if (bag.length === 0) bag = [...kinds];
      const [kind] = bag.splice(random.integer(bag.length), 1);
      befall(kind as FaultKind, random.pick(fleet.members));
    }
  };
  const dealing = deal();
  return {
    faults,
    async stop() {
      stopping.abort();
      await dealing;
      await Promise.all(lastingStill);
      for (const member of fleet.members) fleet.setClock(member, 0);
    },
  };
}
