/** Ports on loopback: the usual one where it is free, so that addresses look familiar, else any. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

export async function freePort(preferred = 0): Promise<number> {
  const probe = createServer();
  try {
    await once(probe.listen(preferred, '127.0.0.1'), 'listening');
  } catch (error) {
    if (preferred === 0) throw error;
    return freePort();
  }
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
