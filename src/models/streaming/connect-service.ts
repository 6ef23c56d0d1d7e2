import { ClosedError, DialError, HoldfastError, registerSecret } from '../../kernel/index.ts';
import type { Lifetime, MessageSocket, Transport } from '../../kernel/index.ts';
import { AuthenticationError, ConnectionLostError } from '../../session/index.ts';
import type { StreamConnection, StreamSink } from '../../session/index.ts';
import { untilClosed } from '../../session/until-closed.ts';
import { errorOfEnd, kindOfEnd } from './end-rows.ts';
import { ServiceConnection } from './service-connection.ts';
import type { SecretSource, ServiceTarget, StreamService, UnknownOutput } from './stream-wire.ts';

const EXPLANATION_CHARACTERS = 200;

export interface ServicePort<Setup, Input, Output> {
  /** The id of the port: `deepgram:nova-3`. */
  readonly id: string;
  readonly service: StreamService<Setup, Input, Output>;
  readonly secret: SecretSource;
  /** The largest message taken from the service. */
  readonly maxMessageBytes: number;
  readonly transport: Transport;
}

/**
 * Makes a connection to a service: asks for the secret, dials, and waits until the service is ready.
 * @throws ClosedError when `scope` closes first; AuthenticationError, QuotaError, InvalidRequestError, OverloadedError or
 * ConnectionLostError for a connection that did not come about.
 */
export async function connectService<Setup, Input extends { readonly type: string }, Output>(
  port: ServicePort<Setup, Input, Output | UnknownOutput>,
  setup: Setup,
  sink: StreamSink<Output | UnknownOutput>,
  scope: Lifetime,
): Promise<StreamConnection<Input>> {
  scope.throwIfClosing();
  const { id, service } = port;
  const secret = await untilClosed(scope, () => secretOf(port));
  registerSecret(secret);
  const redact = (text: string): string => text.replaceAll(secret, '…');
  const wire = service.wire(setup, scope);
  const connection = new ServiceConnection<Input, Output>({ id, service, wire, sink, scope, redact });
  const socket = await dial(port, service.target(setup, secret), connection, scope, redact);
  connection.begin(socket);
  await untilClosed(scope, () => connection.opened);
  return connection;
}

type Dialled = Pick<ServicePort<never, never, never>, 'id' | 'maxMessageBytes' | 'transport'> & {
  readonly service: Pick<StreamService<never, never, never>, 'name' | 'ends'>;
};

async function secretOf({
  id,
  service,
  secret,
}: Pick<Dialled, 'id' | 'service'> & { readonly secret: SecretSource }): Promise<string> {
  let given: unknown;
  try {
    given = await secret();
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    throw new ConnectionLostError(
      `The credentials for ${service.name} could not be obtained. See the cause; throw an AuthenticationError from the ` +
        'function where another attempt cannot help.',
      { provider: id, cause: error },
    );
  }
  if (typeof given === 'string' && given.trim() !== '') return given.trim();
  throw new AuthenticationError(
    `There are no credentials for ${service.name}. Give a key or a token, or set the environment variable it is read from.`,
    { provider: id },
  );
}

async function dial(
  port: Dialled,
  { url, headers }: ServiceTarget,
  sink: ServiceConnection<never, never>,
  scope: Lifetime,
  redact: (text: string) => string,
): Promise<MessageSocket> {
  const { maxMessageBytes, transport } = port;
  try {
    return await transport.dial(url, { headers, maxMessageBytes, sink }, scope);
  } catch (error) {
    if (error instanceof ClosedError || !(error instanceof DialError)) throw error;
    throw refusal(port, error, redact);
  }
}

function refusal({ id, service }: Dialled, error: DialError, redact: (text: string) => string): Error {
  const { httpStatus, retryAfterMs, body = '' } = error.refusal;
  const said = redact(body);
  const firstLine = said.trim().split('\n')[0]?.slice(0, EXPLANATION_CHARACTERS) ?? '';
  const told = httpStatus === undefined ? redact(error.message) : `HTTP ${httpStatus} ${firstLine}`.trim();
  const kind = kindOfEnd(service.ends.refusals, httpStatus, body);
  // What a service answers may repeat what it was asked with, and a cause is logged like the error it stands under.
  const cause = new DialError(
    redact(error.message),
    { ...error.refusal, body: said },
    { cause: error.cause },
  );
  const failure = { provider: id, httpStatus, retryAfterMs, cause };
  return errorOfEnd(kind, `${service.name} refused the connection: ${told}`, failure);
}
