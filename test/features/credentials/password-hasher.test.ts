import { describe, expect, it } from '@jest/globals';
import { hash } from '@node-rs/argon2';
import { PasswordHasher } from '../../../src/features/credentials/password-hasher.js';

describe('the hash of a password', () => {
  it('is argon2id with at least 19 MiB and two passes, and salted', async () => {
    const hasher = new PasswordHasher();
    const [one, other] = await Promise.all([hasher.hash('correct horse'), hasher.hash('correct horse')]);
    expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(other).not.toBe(one);
    expect(await hasher.verify(one, 'correct horse')).toEqual({ fits: true, isOutdated: false });
    expect(await hasher.verify(one, 'Correct horse')).toEqual({ fits: false, isOutdated: false });
  });

  it('is told to be outdated when it was made with other parameters', async () => {
    const older = await hash('correct horse', { memoryCost: 8_192, timeCost: 1, parallelism: 1 });
    expect(await new PasswordHasher().verify(older, 'correct horse')).toEqual({ fits: true, isOutdated: true });
  });

  it('fits never where there is none', async () => {
    expect(await new PasswordHasher().verify(null, '')).toEqual({ fits: false, isOutdated: false });
  });
});

describe('a flood of passwords', () => {
  it('is computed a few at a time; beyond a short queue it is refused with a time to come back', async () => {
    const hasher = new PasswordHasher({ concurrent: 1, waiting: 2 });
    const asked = Array.from({ length: 6 }, () => hasher.verify(null, 'guess'));
    const settled = await Promise.allSettled(asked);
    expect(settled.map(({ status }) => status)).toEqual([...Array(3).fill('fulfilled'), ...Array(3).fill('rejected')]);
    const refused = settled.at(-1) as PromiseRejectedResult;
    expect(refused.reason).toMatchObject({ code: 'RATE_LIMITED', entries: [{ retryAfterSeconds: 5 }] });
    expect(await hasher.verify(null, 'guess')).toMatchObject({ fits: false });
  });
});
