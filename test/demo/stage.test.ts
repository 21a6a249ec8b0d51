import { expect, it } from '@jest/globals';
import { Stage } from '../../demo/stage.js';

it('stops in reverse order, goes on past a part that does not stop, and tells of it', async () => {
  const stage = new Stage();
  const stopped: string[] = [];
  stage.add({ stop: () => stopped.push('database') });
  stage.add({ stop: () => Promise.reject(new Error('stuck')) });
  stage.add({ stop: () => stopped.push('guest') });
  expect(await stage.clear()).toEqual([new Error('stuck')]);
  expect(stopped).toEqual(['guest', 'database']);
});

it('stops what was still being started when it began to clear', async () => {
  const stage = new Stage();
  const stopped: string[] = [];
  stage.add({ stop: () => stopped.push('early') });
  stage.add({ stop: async () => stage.add({ stop: () => stopped.push('late') }) });
  await stage.clear();
  expect(stopped).toEqual(['late', 'early']);
});

it('fails as soon as one of its parts breaks down', async () => {
  const stage = new Stage();
  stage.add({ stop: () => undefined, failed: Promise.reject(new Error('The gateway ended by itself.')) });
  await expect(stage.failed).rejects.toThrow('The gateway ended by itself.');
});
