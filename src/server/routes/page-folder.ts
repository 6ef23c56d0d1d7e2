import { realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { serveStatic } from '@hono/node-server/serve-static';
import type { MiddlewareHandler } from 'hono';

/**
 * Serves what stands in `folder`, by its real path: a link in it that leads out of it leads nowhere. What a path may look
 * like is checked by who serves the files; what there is no file for is left to the routes that follow. `prefix` is what of
 * a path stands before that of the file.
 */
export function pageFiles(folder: string, prefix = ''): MiddlewareHandler {
  const within = (path: string): string => path.slice(prefix.length);
  const serve = serveStatic({ root: folder, rewriteRequestPath: within });
  return async (c, next) => {
    if (await isInside(folder, within(c.req.path))) return serve(c, next);
    await next();
    return undefined;
  };
}

async function isInside(folder: string, path: string): Promise<boolean> {
  try {
    const root = await realpath(folder);
    const named = join(root, path);
    // Of a folder its index is served, which may be a link as well.
    const isFolder = (await stat(named)).isDirectory();
    const found = await realpath(isFolder ? join(named, 'index.html') : named);
    return found.startsWith(root + sep);
  } catch {
    // There is none, or its name is none.
    return false;
  }
}
