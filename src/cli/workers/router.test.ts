import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { Lifetime } from '../../kernel/index.ts';
import { Fellows } from './fellows.ts';
import { WorkerRouter } from './router.ts';
import { SupervisorLink } from './supervisor-link.ts';

// Whatever it throws ends the process, and every call that is on it.

const supervisor = new SupervisorLink();
const TARGETS = ['//', '///', '//[', 'http://[', '*', '/%', '/?%', '?', '#', '/apps/%ff/users/%/sessions/%'];

it.each(TARGETS)('leaves a request for %s to who answers it', (target) => {
  const scope = Lifetime.root({ name: 'worker' });
  const place = { slot: 0, count: 1, replaced: 0, folder: '/nowhere' };
  const fellows = new Fellows(place, scope, 'public');
  const router = new WorkerRouter({
    fellows,
    scope,
    supervisor,
    hold: () => () => undefined,
  });
  const request = new IncomingMessage(new Socket());
  request.url = target;
  for (const method of ['GET', 'POST', 'OPTIONS']) {
    request.method = method;
    expect(router.request(request, new ServerResponse(request))).toBe(false);
  }
  expect(router.upgrade(request, request.socket, Buffer.alloc(0))).toBe(false);
});
