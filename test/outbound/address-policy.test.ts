import { expect, test } from '@jest/globals';
import { isAllowedAddress } from '../../src/outbound/address-policy.js';

test.each(['93.184.215.14', '8.8.8.8', '2606:4700:4700::1111', '::ffff:8.8.8.8', '64:ff9b::808:808'])(
  '%s is public and allowed',
  (address) => {
    expect(isAllowedAddress(address, false)).toBe(true);
  },
);

test.each([
  '127.0.0.1',
  '10.0.0.1',
  '172.16.0.1',
  '192.168.1.1',
  '100.64.0.1',
  '198.18.0.1',
  '192.0.2.1',
  '240.0.0.1',
  '::1',
  'fd12:3456::1',
  '2001:db8::1',
  '::ffff:127.0.0.1',
  '64:ff9b::a00:1',
])('%s is allowed only with the switch', (address) => {
  expect(isAllowedAddress(address, false)).toBe(false);
  expect(isAllowedAddress(address, true)).toBe(true);
});

test.each([
  '169.254.169.254',
  '169.254.0.1',
  'fe80::1',
  'fe80::1%eth0',
  '::ffff:169.254.169.254',
  '64:ff9b::a9fe:a9fe',
  '2002:a9fe:a9fe::1',
  'fd00:ec2::254',
  'fd20:ce::254',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  '0.0.0.0',
  '::',
  '::7f00:1',
  '255.255.255.255',
  '224.0.0.1',
  'ff02::1',
  'not an address',
  '',
])('%s is never allowed', (address) => {
  expect(isAllowedAddress(address, true)).toBe(false);
});
