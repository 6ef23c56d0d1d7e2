const LOOPBACK_NAME = /^(?:localhost|(?:[a-z0-9-]+\.)+localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/;

/** Whether an address or name can only be reached from this machine. */
export function isLoopback(host: string): boolean {
  return LOOPBACK_NAME.test(host.toLowerCase());
}

/** The name in a `Host` header, in lower case and without the port. */
export function hostName(authority: string): string {
  const bracket = authority.indexOf(']');
  const name = bracket >= 0 ? authority.slice(0, bracket + 1) : authority.replace(/:\d*$/, '');
  return name.toLowerCase();
}
