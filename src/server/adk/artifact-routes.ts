import { Hono } from 'hono';
import type { Context } from 'hono';
import { urlSafeBase64 } from '../../protocol/base64.ts';
import { readContent } from '../../protocol/index.ts';
import type { Artifact, ArtifactContent, ArtifactScope, ArtifactVersion } from '../../session/index.ts';
import { ArtifactNotFoundError, BadRequestError, SessionNotFoundError } from '../errors.ts';
import { jsonBody, objectField, stringField } from '../requests/index.ts';
import type { ServerContext } from '../server-context.ts';

const ARTIFACTS = '/apps/:app/users/:user/sessions/:session/artifacts';

/** What stands behind the name of an artifact in a path. Names may hold slashes, so the path is read from its end. */
type ArtifactPath =
  | { readonly tag: 'artifact'; readonly name: string }
  | { readonly tag: 'versions'; readonly name: string }
  | { readonly tag: 'allMetadata'; readonly name: string }
  | { readonly tag: 'version'; readonly name: string; readonly version: string }
  | { readonly tag: 'metadata'; readonly name: string; readonly version: string };

/** `…/sessions/{session}/artifacts`: list, save, load, versions and what is known of them, delete. */
export function artifactRoutes(context: ServerContext): Hono {
  const { artifacts, apps, store } = context;
  const routes = new Hono();

  /** Artifacts of a session that is not there belong to nobody who could ever delete them. */
  const scopeOf = async (c: Context): Promise<ArtifactScope> => {
    const appName = c.req.param('app') ?? '';
    const userId = c.req.param('user') ?? '';
    const sessionId = c.req.param('session') ?? '';
    apps.get(appName);
    if ((await store.get({ appName, userId, id: sessionId })) === undefined) {
      throw new SessionNotFoundError(
        `There is no session '${sessionId}' of user '${userId}' in '${appName}'.`,
      );
    }
    return { appName, userId, sessionId };
  };

  routes.get(ARTIFACTS, async (c) => c.json(await artifacts.list(await scopeOf(c))));

  routes.post(ARTIFACTS, async (c) => {
    const scope = await scopeOf(c);
    const body = await jsonBody(c, context.limits);
    const name = stringField(body, 'filename');
    if (name === undefined) throw new BadRequestError("'filename' is missing.");
    const content = contentIn(objectField(body, 'artifact'));
    const customMetadata = objectField(body, 'customMetadata', 'custom_metadata');
    const version = await artifacts.save(scope, name, { content, customMetadata });
    const saved = (await artifacts.versions(scope, name)).find((each) => each.version === version);
    if (saved === undefined) throw new ArtifactNotFoundError('The artifact was deleted meanwhile.');
    return c.json(versionJson(scope, name, saved));
  });

  routes.get(`${ARTIFACTS}/*`, async (c) => {
    const scope = await scopeOf(c);
    const path = artifactPath(c);
    switch (path.tag) {
      case 'versions':
        return c.json((await artifacts.versions(scope, path.name)).map(({ version }) => version));
      case 'allMetadata': {
        const versions = await artifacts.versions(scope, path.name);
        return c.json(versions.map((version) => versionJson(scope, path.name, version)));
      }
      case 'metadata': {
        const versions = await artifacts.versions(scope, path.name);
        const wanted = versionNumber(path.version);
        const found =
          wanted === undefined ? versions.at(-1) : versions.find(({ version }) => version === wanted);
        return c.json(versionJson(scope, path.name, there(found, path.name)));
      }
      case 'version':
      case 'artifact': {
        const asked = path.tag === 'version' ? path.version : c.req.query('version');
        const found = await artifacts.load(scope, path.name, versionNumber(asked));
        return c.json(partJson(there(found, path.name)));
      }
    }
  });

  routes.delete(`${ARTIFACTS}/*`, async (c) => {
    const scope = await scopeOf(c);
    // All of the path, as the ADK has it: one version alone is not deleted, and what was meant for one must not cost all.
    await artifacts.delete(scope, decoded(artifactWords(c)));
    return c.json(null);
  });

  return routes;
}

/** What stands in the path behind `artifacts/`, whatever the user and the session are called. */
const ARTIFACT_WORDS = /\/apps\/[^/]+\/users\/[^/]+\/sessions\/[^/]+\/artifacts\/(.+)$/;

function artifactWords(c: Context): readonly string[] {
  const [, encoded = ''] = ARTIFACT_WORDS.exec(new URL(c.req.url).pathname) ?? [];
  return encoded.split('/');
}

function artifactPath(c: Context): ArtifactPath {
  const words = artifactWords(c);
  const last = words.at(-1) ?? '';
  if (words.length > 3 && words.at(-3) === 'versions' && last === 'metadata') {
    return { tag: 'metadata', name: decoded(words.slice(0, -3)), version: words.at(-2) ?? '' };
  }
  if (words.length > 2 && words.at(-2) === 'versions') {
    const name = decoded(words.slice(0, -2));
    return last === 'metadata' ? { tag: 'allMetadata', name } : { tag: 'version', name, version: last };
  }
  if (words.length > 1 && last === 'versions') return { tag: 'versions', name: decoded(words.slice(0, -1)) };
  return { tag: 'artifact', name: decoded(words) };
}

function decoded(words: readonly string[]): string {
  try {
    return words.map((word) => decodeURIComponent(word)).join('/');
  } catch {
    throw new BadRequestError('The name of the artifact is not well encoded.');
  }
}

/** The number asked for; undefined for the newest. @throws BadRequestError */
function versionNumber(text: string | undefined): number | undefined {
  if (text === undefined || text === '' || text === 'latest') return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new BadRequestError("A version is a number from 0, or 'latest'.");
}

function there<Found>(found: Found | undefined, name: string): Found {
  if (found !== undefined) return found;
  throw new ArtifactNotFoundError(`There is no artifact '${name}' in this version.`);
}

/** @throws BadRequestError for what is no part of a message. */
function contentIn(part: unknown): ArtifactContent {
  const read = readContent({ role: 'user', parts: [part] });
  if (read.ok) return read.value.parts[0] ?? {};
  throw new BadRequestError(read.reason.replaceAll('content.parts[0]', 'artifact'));
}

/** As the ADK's api server gives it: base64 in the URL-safe alphabet. */
function partJson({ content }: Artifact): unknown {
  const { inlineData, text } = content;
  if (inlineData === undefined) return { text };
  return { inlineData: { mimeType: inlineData.mimeType, data: urlSafeBase64(inlineData.data) } };
}

function versionJson(
  { appName, userId, sessionId }: ArtifactScope,
  name: string,
  { version, mimeType, savedAtMs, customMetadata }: ArtifactVersion,
): Record<string, unknown> {
  const words = [appName, userId, sessionId, ...name.split('/')].map((word) => encodeURIComponent(word));
  return {
    version,
    canonicalUri: `artifact://${words.join('/')}#${version}`,
    customMetadata,
    createTime: savedAtMs / 1_000,
    mimeType,
  };
}
