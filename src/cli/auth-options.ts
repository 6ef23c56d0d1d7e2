import { readFileSync } from 'node:fs';
import type { Command, Option } from 'commander';
import { InvalidOptionError, describeError, registerSecret } from '../kernel/index.ts';
import { DEFAULT_CLOCK_TOLERANCE_S, bearerTokens, jwt } from '../server/index.ts';
import type { Authenticator } from '../server/index.ts';
import { parseList } from './limit-options.ts';

/** How it is known who asks, as `web` and `api-server` are told it. */
export interface AuthFlags {
  readonly authToken?: string;
  readonly authTokenFile?: string;
  readonly jwksUrl?: string;
  readonly jwtSecret?: string;
  readonly jwtSecretFile?: string;
  readonly jwtPublicKey?: string;
  readonly jwtIssuer?: string;
  readonly jwtAudience?: string;
  readonly jwtAlgorithms?: readonly string[];
  readonly jwtClockTolerance: number;
  readonly openMetrics?: boolean;
  readonly insecureNoAuth?: boolean;
}

/** Secrets have variables, because what stands in a command line is seen by everybody on the machine. */
export function addAuthOptions(
  command: Command,
  option: (flags: string, description: string) => Option,
  parseSeconds: (text: string) => number,
): Command {
  return command
    .addOption(option('--auth-token <token>', 'ask for this token; better in the variable'))
    .addOption(option('--auth-token-file <file>', 'ask for one of the tokens in this file, one a line'))
    .addOption(option('--jwks-url <url>', 'ask for JSON Web Tokens signed with the keys published there'))
    .addOption(option('--jwt-public-key <file>', 'ask for JSON Web Tokens signed with this key, in PEM'))
    .addOption(
      option(
        '--jwt-secret <secret>',
        'ask for JSON Web Tokens signed with this secret; better in the variable',
      ),
    )
    .addOption(option('--jwt-secret-file <file>', 'the same, with the secret in a file'))
    .addOption(option('--jwt-issuer <issuer>', 'what the issuer of the tokens must be'))
    .addOption(option('--jwt-audience <audience>', 'what their audience must be'))
    .addOption(option('--jwt-algorithms <names>', 'how they may be signed, with commas').argParser(parseList))
    .addOption(
      option('--jwt-clock-tolerance <seconds>', 'how much the clocks may differ')
        .default(DEFAULT_CLOCK_TOLERANCE_S)
        .argParser(parseSeconds),
    )
    .addOption(option('--open-metrics', 'answer /metrics to who brings no token'))
    .addOption(
      option('--insecure-no-auth', 'listen on any address without asking who comes: something else does'),
    );
}

/** @throws InvalidOptionError for what cannot work, and for a file that cannot be read. Never with a secret in it. */
export function authenticatorsOf(flags: AuthFlags): Authenticator[] {
  const tokens = [
    ...(isGiven(flags.authToken) ? [flags.authToken] : []),
    ...(isGiven(flags.authTokenFile) ? tokensIn('--auth-token-file', flags.authTokenFile) : []),
  ];
  for (const token of tokens) registerSecret(token);
  return [...(tokens.length === 0 ? [] : [bearerTokens(tokens)]), ...jwtOf(flags)];
}

function jwtOf(flags: AuthFlags): Authenticator[] {
  const { jwksUrl, jwtPublicKey, jwtIssuer, jwtAudience, jwtAlgorithms = [], jwtClockTolerance } = flags;
  const secret = isGiven(flags.jwtSecretFile)
    ? readSecret('--jwt-secret-file', flags.jwtSecretFile).trim()
    : flags.jwtSecret;
  registerSecret(secret);
  if (!isGiven(jwksUrl) && !isGiven(jwtPublicKey) && !isGiven(secret)) {
    if (isGiven(jwtIssuer) || isGiven(jwtAudience) || jwtAlgorithms.length > 0) {
      throw new InvalidOptionError(
        '--jwt-issuer, --jwt-audience and --jwt-algorithms need one of --jwks-url, --jwt-public-key and --jwt-secret-file.',
      );
    }
    return [];
  }
  return [
    jwt({
      ...(isGiven(jwksUrl) ? { jwksUrl } : {}),
      ...(isGiven(jwtPublicKey) ? { publicKey: readSecret('--jwt-public-key', jwtPublicKey) } : {}),
      ...(isGiven(secret) ? { secret } : {}),
      ...(isGiven(jwtIssuer) ? { issuer: jwtIssuer } : {}),
      ...(isGiven(jwtAudience) ? { audience: jwtAudience } : {}),
      ...(jwtAlgorithms.length === 0 ? {} : { algorithms: jwtAlgorithms }),
      clockToleranceS: jwtClockTolerance,
    }),
  ];
}

/** An empty variable is one that is not set. */
function isGiven(value: string | undefined): value is string {
  return value !== undefined && value !== '';
}

/** A token a line; what follows a `#` is a note. */
function tokensIn(flag: string, path: string): string[] {
  const tokens = readSecret(flag, path)
    .split('\n')
    .map((line) => line.replace(/(?:^|\s)#.*$/, '').trim())
    .filter((line) => line !== '');
  if (tokens.length > 0) return tokens;
  throw new InvalidOptionError(`${flag} ${path} holds no token.`);
}

function readSecret(flag: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new InvalidOptionError(`${flag} ${path} cannot be read: ${describeError(cause)}.`, { cause });
  }
}
