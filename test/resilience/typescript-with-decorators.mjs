/**
 * Lets plain Node run our sources: jest's transform (`jest.config.mjs`) for a process that a test starts. Node itself strips
 * types but does not know decorators.
 */
import '../support/typescript-resolution.mjs';
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { transformSync } from '@swc/core';
import jestConfig from '../../jest.config.mjs';

const [[, options]] = Object.values(jestConfig.transform);

registerHooks({
  load(url, context, next) {
    if (!url.endsWith('.ts')) return next(url, context);
    const { code } = transformSync(readFileSync(fileURLToPath(url), 'utf8'), options);
    return { format: 'module', source: code, shortCircuit: true };
  },
});
