import { registerSecret } from '../kernel/index.ts';

/** How variables are called that hold a key. `…_KEY` alone is not enough: that is also a name of something. */
const SECRET_VARIABLE = /(?:_API_KEY|_TOKEN|_SECRET|_SECRET_KEY|_ACCESS_KEY|_PASSWORD)$/;

/** `name=value` pairs with commas, as OpenTelemetry has the headers of its exporter. */
const HEADERS_VARIABLE = /^OTEL_EXPORTER_OTLP(?:_TRACES)?_HEADERS$/;

/** The keys that this process was given, so that none of them comes out of it, whoever quotes it. */
export function registerEnvironmentSecrets(environment: NodeJS.ProcessEnv): void {
  for (const [name, value] of Object.entries(environment)) {
    if (SECRET_VARIABLE.test(name)) registerSecret(value);
    if (!HEADERS_VARIABLE.test(name)) continue;
    for (const header of (value ?? '').split(',')) registerSecret(header.slice(header.indexOf('=') + 1));
  }
}
