import { Hono } from 'hono';
import type { Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { adminRoutes } from './admin-routes.ts';
import { renderDrain } from './drain-metrics.ts';
import { BodyTooLargeError } from './errors.ts';
import type { HostCheck } from './host-check.ts';
import { answerError } from './http-errors.ts';
import { PROMETHEUS_TEXT } from './prometheus.ts';
import type { ServerContext } from './server-context.ts';

/** What is posted to administration is a word or a sentence. */
const MAX_ADMIN_BODY_BYTES = 16_384;

/**
 * `/health` and `/ready`. They come from load balancers that ask by address, and tell nothing: they are answered to
 * anybody.
 */
export function probeRoutes({ drain }: ServerContext): Hono {
  const routes = new Hono();
  routes.get('/health', (c) => c.json({ status: 'ok' }));
  routes.get('/ready', (c) => {
    const { tag } = drain.stage;
    return tag === 'serving' ? c.json({ status: 'ready' }) : c.json({ status: 'draining' }, 503);
  });
  return routes;
}

/** `/metrics` and `/admin/*`. */
export function operationsRoutes(context: ServerContext): Hono {
  const { calls, drain, metrics, refusals } = context;
  const routes = new Hono();
  routes.get('/metrics', (c) =>
    c.body(metrics.render(calls.size, refusals.samples) + renderDrain(drain.progress), 200, {
      'content-type': PROMETHEUS_TEXT,
    }),
  );
  routes.post(
    '/admin/*',
    bodyLimit({
      maxSize: MAX_ADMIN_BODY_BYTES,
      onError: () => {
        throw new BodyTooLargeError(`The body is larger than ${MAX_ADMIN_BODY_BYTES} bytes.`);
      },
    }),
  );
  routes.route('/admin', adminRoutes(context));
  return routes;
}

/** Everything that is answered on a port of operations: probes, metrics, administration, and nothing else. */
export function createOperationsRoutes(context: ServerContext, hosts: HostCheck): Hono {
  const app = new Hono();
  app.onError((error, c) => answerError(error, c, context.owner.log));
  app.notFound(notFound);
  app.route('/', probeRoutes(context));
  app.use(async (c, next) => {
    hosts.check(c.req.header('host'), c.req.header('origin'));
    await next();
  });
  app.route('/', operationsRoutes(context));
  return app;
}

export function notFound(c: Context): Response {
  return c.json({ error: 'Not found', detail: 'Not found', code: 'HOLDFAST_NOT_FOUND' }, 404);
}
