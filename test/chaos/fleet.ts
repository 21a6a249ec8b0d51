/**
 * Gateways behind a balancer, over one PostgreSQL and one mail server, with a piece of network of their own each. Whoever is
 * down is started again, as a supervisor would, until the fleet is to rest.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { freePort } from '../../src/database/embedded-process.js';
import { type GatewayProcess, startGatewayProcess } from '../resilience/gateway-process.js';
import type { Random } from './random.js';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.js';

export interface Member {
  name: string;
  port: number;
  /** Between this gateway and PostgreSQL. */
  network: TcpProxy;
  /** Null while it is down. */
  gateway: GatewayProcess | null;
  clockAheadMilliseconds: number;
}

export interface Fleet {
  members: Member[];
  /** Where clients reach any of them. */
  url: string;
  /** Everything its processes said, one process after the other. */
  output(): string[];
  /** Processes started so far. */
  starts(): number;
  setClock(member: Member, aheadMilliseconds: number): void;
  /** Every member is up and ready. */
  isWhole(): Promise<boolean>;
  stop(): Promise<void>;
}

export interface FleetOptions {
  size: number;
  databaseUrl: URL;
  smtpUrl: string;
  random: Random;
  /** Default: the product's own. */
  heartbeat?: { beat: number; silentFor: number };
}

const RESTART_MILLISECONDS = 300;

export async function startFleet({ size, databaseUrl, smtpUrl, random, heartbeat }: FleetOptions): Promise<Fleet> {
  const members: Member[] = [];
  const ended: string[] = [];
  let starts = 0;
  let resting = false;
  const balancer = await startTcpProxy(() => {
    const up = members.filter(({ gateway }) => gateway !== null);
    return up.length > 0 ? random.pick(up).port : null;
  });
  const url = `http://127.0.0.1:${balancer.port}`;

  const start = async (member: Member): Promise<void> => {
    starts += 1;
    const gateway = await startGatewayProcess('chaos', {
      PORT: String(member.port),
      PUBLIC_URL: url,
      DATABASE_URL: Object.assign(new URL(databaseUrl), { port: String(member.network.port) }).href,
      SMTP_URL: smtpUrl,
      MAILS_PER_TENANT_PER_HOUR: '10000000',
      LOG_LEVEL: 'warn',
      ...(heartbeat && { CHAOS_HEARTBEAT: JSON.stringify(heartbeat) }),
    });
    member.gateway = gateway;
    tellTheTime(member);
    void gateway.ended.then((code) => {
      ended.push(...saidBy(member), `${member.name} ended with ${code}`);
      member.gateway = null;
      if (!resting) void keep(member);
    });
  };
  const keep = async (member: Member): Promise<void> => {
    while (!resting) {
      try {
        await start(member);
        return;
      } catch (error) {
        ended.push(`${member.name} did not start: ${(error as Error).message}`);
        await wait(RESTART_MILLISECONDS);
      }
    }
  };

  for (let index = 0; index < size; index++) {
    const network = await startTcpProxy(() => Number(databaseUrl.port));
    members.push({
      name: `gateway ${index + 1}`,
      port: await freePort(),
      network,
      gateway: null,
      clockAheadMilliseconds: 0,
    });
  }
  await Promise.all(members.map(keep));

  return {
    members,
    url,
    output: () => [...ended, ...members.flatMap(saidBy)],
    starts: () => starts,
    setClock(member, aheadMilliseconds) {
      member.clockAheadMilliseconds = aheadMilliseconds;
      tellTheTime(member);
    },
    async isWhole() {
      const ready = await Promise.all(members.map(({ gateway }) => gateway?.isReady().catch(() => false)));
      return ready.every(Boolean);
    },
    async stop() {
      resting = true;
      await Promise.all(members.map(({ gateway }) => gateway?.end('SIGKILL')));
      await Promise.all([balancer, ...members.map(({ network }) => network)].map((proxy) => proxy.stop()));
    },
  };
}

/** One that is about to end need not know it. */
function tellTheTime({ gateway, clockAheadMilliseconds }: Member): void {
  gateway?.child.send({ clockAheadMilliseconds }, () => undefined);
}

function saidBy({ name, gateway }: Member): string[] {
  return gateway?.output.map((line) => `${name} ${line}`) ?? [];
}
