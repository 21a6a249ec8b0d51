import { expect, it } from '@jest/globals';
import { networkOf } from '../../src/kernel/network.js';

it('a network is an IPv4 address or an IPv6 /64, however it is written', () => {
  expect(networkOf('203.0.113.7')).toBe('203.0.113.7');
  expect(networkOf('::ffff:203.0.113.7')).toBe('203.0.113.7');
  const home = networkOf('2001:db8:1:2:aaaa::1');
  expect(home).toBe('2001:db8:1:2::/64');
  expect(networkOf('2001:0db8:0001:0002:ffff:ffff:ffff:ffff')).toBe(home);
  expect(networkOf('2001:db8:1:3::1')).not.toBe(home);
  expect(networkOf('10.0.0.1')).toBe('10.0.0.1');
});

it('this machine is no network, nor is what is no address', () => {
  for (const address of ['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1', '', 'unknown', '203.0.113.7, 10.0.0.1'])
    expect([address, networkOf(address)]).toEqual([address, null]);
});
