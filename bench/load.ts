/** A closed loop: `inFlight` requests at any time over as many kept connections; answers come as requests per second. */
import { Pool } from 'undici';

export interface Load {
  origin: string;
  path: string;
  headers: Record<string, string>;
  /** Called for each request. */
  body: () => string;
  inFlight: number;
  seconds: number;
  /** @throws when an answer is not what was to be measured. */
  check(text: string): void;
}

export async function requestsPerSecond({
  origin,
  path,
  headers,
  body,
  inFlight,
  seconds,
  check,
}: Load): Promise<number> {
  const pool = new Pool(origin, { connections: inFlight, pipelining: 1 });
  const began = performance.now();
  const end = began + seconds * 1000;
  let done = 0;
  const loop = async () => {
    while (performance.now() < end) {
      const response = await pool.request({ method: 'POST', path, headers, body: body() });
      const text = await response.body.text();
      if (response.statusCode !== 200)
        throw new Error(`${path} answered ${response.statusCode}: ${text.slice(0, 300)}`);
      if (done % 500 === 0) check(text);
      done++;
    }
  };
  try {
    await Promise.all(Array.from({ length: inFlight }, loop));
  } finally {
    await pool.close();
  }
  return done / ((performance.now() - began) / 1000);
}
