/**
 * Process entry. Compiled code of all modules is kept beside the build, which saves a third of the start; that has to be asked
 * for before they are loaded. What happens then is `serve.ts`.
 */
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

enableCompileCache(join(import.meta.dirname, '../.compile-cache'));
await import('./serve.js');
