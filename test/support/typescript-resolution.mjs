/**
 * Lets plain Node find `x.ts` where a TypeScript file imports `x.js`. Inside tests jest's own resolver does that; jest's global
 * setup and processes started by tests run outside of it.
 */
import { registerHooks } from 'node:module';

registerHooks({
  resolve(specifier, context, next) {
    const isOurs = specifier.startsWith('.') && context.parentURL?.endsWith('.ts');
    return next(isOurs ? specifier.replace(/\.js$/, '.ts') : specifier, context);
  },
});
