import { describe, expect, it } from '@jest/globals';
import { silentLog } from '../../src/kernel/log.js';
import { MailPaused, PermanentMailError, TemporaryMailError } from '../../src/mail/mail-errors.js';
import { MailPace } from '../../src/mail/mail-pace.js';

const times = { firstPause: 20, longestPause: 80, recovery: 60_000 };
const open = (most = 3) => new MailPace(most, silentLog, times);
const away = () => Promise.reject(new TemporaryMailError('away', '', 'server'));
const crowded = () => Promise.reject(new TemporaryMailError('fewer', '', 'crowd'));
const refused = (doubtful: boolean) => () => Promise.reject(new PermanentMailError('refused', '', { doubtful }));
const settled = (work: Promise<unknown>) =>
  work.then(
    () => null,
    (error: Error) => error,
  );

/** Mails that are under way until they are let go. */
function held() {
  const letGo: (() => void)[] = [];
  const send = () => new Promise<void>((resolve) => letGo.push(resolve));
  return { send, letGo };
}

const turn = () => new Promise(setImmediate);

describe('mails', () => {
  it('go at most so many at once', async () => {
    const pace = open(3);
    const { send, letGo } = held();
    const all = Array.from({ length: 5 }, () => pace.run(send));
    await turn();
    expect(letGo).toHaveLength(3);
    letGo[0]?.();
    await turn();
    expect(letGo).toHaveLength(4);
    while (letGo.length < 5) {
      letGo.at(-1)?.();
      await turn();
    }
    for (const go of letGo) go();
    await Promise.all(all);
  });

  it('that somebody waits for go before the others', async () => {
    const pace = open(1);
    const order: string[] = [];
    const send = (name: string) => async () => void order.push(name);
    const { send: first, letGo } = held();
    const all = [pace.run(first), pace.run(send('bulk')), pace.run(send('passcode'), { urgent: true })];
    await turn();
    letGo[0]?.();
    await Promise.all(all);
    expect(order).toEqual(['passcode', 'bulk']);
  });
});

describe('a server that is away', () => {
  it('is tried by one mail after a pause; the others are neither tried nor failed', async () => {
    const pace = open(2);
    const { send, letGo } = held();
    const waiting = [
      settled(pace.run(away)),
      settled(pace.run(send)),
      settled(pace.run(send)),
      settled(pace.run(send)),
    ];
    expect(await waiting[0]).toBeInstanceOf(TemporaryMailError);
    for (const one of waiting.slice(2)) expect(await one).toBeInstanceOf(MailPaused);
    expect(await settled(pace.run(send))).toBeInstanceOf(MailPaused);
    expect(letGo).toHaveLength(1);
    letGo[0]?.();
    await waiting[1];
    await pace.open();
  });

  it('pauses longer each time, up to the longest pause, and once for all that failed together', async () => {
    const pace = open(3);
    const pauses: number[] = [];
    for (let failure = 0; failure < 5; failure++) {
      await Promise.all([settled(pace.run(away)), ...(failure === 0 ? [settled(pace.run(away))] : [])]);
      const began = performance.now();
      await pace.open();
      pauses.push(performance.now() - began);
    }
    for (const [failure, least] of [15, 30, 60, 60, 60].entries())
      expect(pauses[failure]).toBeGreaterThanOrEqual(least - 1);
    expect(await settled(pace.run(async () => undefined))).toBeNull();
  });

  it('lets go who waits when the gateway stops, or their worker', async () => {
    const pace = open();
    await settled(pace.run(away));
    const stopped = settled(pace.open(AbortSignal.abort(new Error('the worker stops'))));
    expect(await stopped).toMatchObject({ message: 'the worker stops' });
    await settled(pace.run(away));
    const waiting = settled(pace.open());
    pace.stop();
    expect(await waiting).toMatchObject({ message: 'The gateway stopped before this mail was sent.' });
  });
});

describe('a server that asks for fewer connections', () => {
  it('gets fewer, without a pause, as long as it takes some', async () => {
    const pace = open(3);
    const { send, letGo } = held();
    const first = [pace.run(send), pace.run(send), settled(pace.run(crowded))];
    await first[2];
    const more = [pace.run(send), pace.run(send)];
    await turn();
    expect(letGo).toHaveLength(2);
    for (let sent = 0; sent < 4; sent++) {
      await turn();
      letGo[sent]?.();
    }
    await Promise.all([...first, ...more]);
  });
});

describe('refusals', () => {
  it('of an address are believed, however many there are', async () => {
    const pace = open();
    for (let mail = 0; mail < 20; mail++)
      expect(await settled(pace.run(refused(false)))).toBeInstanceOf(PermanentMailError);
  });

  it('that may be about us are no longer believed when nothing else comes', async () => {
    const pace = open();
    for (let mail = 0; mail < 5; mail++)
      expect(await settled(pace.run(refused(true)))).toBeInstanceOf(PermanentMailError);
    expect(await settled(pace.run(refused(true)))).toMatchObject({
      name: 'TemporaryMailError',
      reason: 'Every mail is refused at present. refused',
    });
    await pace.open();
    await pace.run(async () => undefined);
    expect(await settled(pace.run(refused(true)))).toBeInstanceOf(PermanentMailError);
  });
});
