'use strict';
// What the tests need of the system itself, beside Node and npm. Plain old JavaScript: see setup.cjs.

const fs = require('fs');
const path = require('path');

function isExecutable(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

function findInPath(names) {
  const folders = (process.env.PATH || '')
    .split(path.delimiter)
    .concat(['/usr/bin', '/usr/local/bin', '/usr/sbin', '/usr/local/sbin']);
  for (const name of names) {
    for (const folder of folders) {
      const file = path.join(folder, name);
      if (folder !== '' && isExecutable(file)) return file;
    }
  }
  return undefined;
}

/** The browser the page's tests run in: `CHROMIUM_PATH`, else what the system has; undefined if there is none. */
function findChromium() {
  if (process.env.CHROMIUM_PATH) {
    return isExecutable(process.env.CHROMIUM_PATH) ? process.env.CHROMIUM_PATH : undefined;
  }
  return findInPath(['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']);
}

/** The program that gives a test a terminal of its own (a pty). */
function findScript() {
  return findInPath(['script']);
}

/** The balancers whose configurations under deploy/ are tested. */
function findHaproxy() {
  return findInPath(['haproxy']);
}

function findNginx() {
  return findInPath(['nginx']);
}

/** Each with the Debian package that brings it and the sentence for systems where it cannot be installed. */
const TEST_PROGRAMS = [
  {
    name: 'Chromium',
    find: findChromium,
    debianPackage: 'chromium',
    remedy: 'install Chromium or set CHROMIUM_PATH to a Chrome or Chromium program',
  },
  {
    name: '`script`',
    find: findScript,
    debianPackage: 'bsdutils',
    remedy: 'install util-linux (it brings `script`)',
  },
  {
    name: 'HAProxy',
    find: findHaproxy,
    debianPackage: 'haproxy',
    remedy: 'install HAProxy 2.4 or later',
  },
  {
    name: 'nginx',
    find: findNginx,
    debianPackage: 'nginx',
    remedy: 'install nginx 1.18 or later',
  },
];

module.exports = {
  findChromium: findChromium,
  findScript: findScript,
  findHaproxy: findHaproxy,
  findNginx: findNginx,
  TEST_PROGRAMS: TEST_PROGRAMS,
};
