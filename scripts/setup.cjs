'use strict';
// Makes a checkout ready to run: the packages of the lockfile, and with them the checkout's own Node.
//
//   node scripts/setup.cjs         what `start` and `check` need
//   node scripts/setup.cjs test    and what the tests need of the system
//
// Every npm script begins with it; when nothing is to be done it ends within milliseconds. It is the one file
// that runs on whatever Node the machine happens to have, so it is plain old JavaScript and needs no package.
// It writes to stderr only: stdout belongs to the command that follows.

const childProcess = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const { acquireCheckoutLock } = require('./checkout-lock.cjs');
const { TEST_PROGRAMS, findChromium } = require('./system-programs.cjs');

const ROOT = path.dirname(__dirname);
const MODULES = path.join(ROOT, 'node_modules');
const BIN = path.join(MODULES, '.bin');
const STAMP = path.join(MODULES, '.holdfast-setup');

/** Holdfast is developed and tested on this major. */
const OWN_MAJOR = 24;
/** The oldest Node that strips types without a flag: it serves where npm has no Node to bring. */
const OLDEST = [22, 18];
/** The first npm that reads the lockfile's format. */
const OLDEST_NPM = 7;
/** For these the lockfile brings Node as an optional dependency (package node-linux-<arch>). */
const BRINGS_OWN_NODE = process.platform === 'linux' && (process.arch === 'x64' || process.arch === 'arm64');

function say(line) {
  process.stderr.write('holdfast: ' + line + '\n');
}

function fail(line) {
  say(line);
  process.exit(1);
}

/** Digest of a file, '-' when it is not there. */
function digest(file) {
  try {
    return crypto.createHash('sha256').update(fs.readFileSync(file)).digest('hex');
  } catch {
    return '-';
  }
}

function readJson(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function isInside(file, folder) {
  return file.indexOf(folder + path.sep) === 0;
}

/** The Node the npm scripts of this checkout run on, as [major, minor]: the first in their PATH. */
function scriptsNode() {
  // Started by the checkout's own Node: that is the one, and this is the usual case.
  if (isInside(process.execPath, MODULES)) return process.versions.node.split('.').slice(0, 2).map(Number);
  const environment = Object.assign({}, process.env);
  environment.PATH = BIN + path.delimiter + (process.env.PATH || '');
  const result = childProcess.spawnSync('node', ['-v'], { env: environment, encoding: 'utf8' });
  const match = /^v(\d+)\.(\d+)\./.exec(result.stdout || '');
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
}

function isNewEnough(version) {
  return (
    version !== undefined && (version[0] > OLDEST[0] || (version[0] === OLDEST[0] && version[1] >= OLDEST[1]))
  );
}

/** What stamps a finished setup: the lockfile, what npm says it installed, and the kind of machine. */
function fingerprint() {
  const installed = digest(path.join(MODULES, '.package-lock.json'));
  return [digest(path.join(ROOT, 'package-lock.json')), installed, process.platform, process.arch].join(' ');
}

function readStamp() {
  try {
    return fs.readFileSync(STAMP, 'utf8').trim();
  } catch {
    return '';
  }
}

/** Whether an optional package of the lockfile is meant for this machine. */
function fitsMachine(entry) {
  function allows(list, value) {
    return list === undefined || [].concat(list).indexOf(value) !== -1;
  }
  return allows(entry.os, process.platform) && allows(entry.cpu, process.arch) && allows(entry.libc, 'glibc');
}

/** Whether an install made by hand already put everything in place that the lockfile asks for. */
function isInstalled() {
  const wanted = readJson(path.join(ROOT, 'package-lock.json'));
  const installed = readJson(path.join(MODULES, '.package-lock.json'));
  if (wanted === undefined || installed === undefined) return false;
  return Object.keys(wanted.packages).every(function (name) {
    const entry = wanted.packages[name];
    const found = installed.packages[name];
    if (name === '') return true;
    if (found !== undefined) return found.version === entry.version;
    // npm leaves out what only packages for other machines need, and marks that optional too.
    return entry.optional === true && !(entry.os !== undefined && fitsMachine(entry));
  });
}

function isReady() {
  const version = scriptsNode();
  const stamp = readStamp();
  if (stamp === fingerprint() + ' own') return version !== undefined && version[0] === OWN_MAJOR;
  // Where no Node could be brought the stamp says so: then the system's must serve, and no install is tried again.
  if (stamp === fingerprint() + ' system') return isNewEnough(version);
  return false;
}

function install() {
  const calledByNpm = /npm-cli\.c?js$/.test(process.env.npm_execpath || '');
  // The Node that runs npm, not ours: this install may be about to replace ours.
  const program = calledByNpm ? process.env.npm_node_execpath || process.execPath : 'npm';
  const options = [
    'ci',
    '--include=dev', // also with NODE_ENV=production
    '--include=optional', // our Node is one of them
    '--ignore-scripts', // no dependency needs its install script
    '--engine-strict=false', // npm itself may run on an older Node
    '--package-lock=true',
    '--no-audit',
    '--no-fund',
    '--prefer-offline',
    '--loglevel=error',
  ];
  const npmMajor = /npm\/(\d+)\./.exec(process.env.npm_config_user_agent || '');
  if (npmMajor !== null && Number(npmMajor[1]) < OLDEST_NPM) {
    fail(
      'npm ' +
        npmMajor[1] +
        ' cannot read this lockfile; install Node ' +
        OWN_MAJOR +
        ' (https://nodejs.org)',
    );
  }
  // A Ctrl-C reaches npm as well. It must not end this process first: the lock is held until npm has cleaned up.
  ['SIGINT', 'SIGTERM', 'SIGHUP'].forEach(function (signal) {
    process.on(signal, function () {});
  });
  const began = Date.now();
  say('installing the dependencies (some seconds, once)');
  const result = childProcess.spawnSync(
    program,
    (calledByNpm ? [process.env.npm_execpath] : []).concat(options),
    {
      cwd: ROOT,
      stdio: ['ignore', 2, 2],
    },
  );
  if (result.error)
    fail('npm could not be started (' + result.error.message + '); install npm and try again');
  if (result.status !== 0) {
    const how = result.signal ? 'was ended by ' + result.signal : 'ended with ' + result.status;
    fail('installing the dependencies failed: npm ci ' + how + '; what it said stands above');
  }
  say('installed in ' + ((Date.now() - began) / 1000).toFixed(1) + ' s');
}

/** Removes a brought Node that this system cannot run (another C library): the system's then comes first. */
function dropUnusableNode() {
  const own = path.join(BIN, 'node');
  if (!fs.existsSync(own)) return;
  if (childProcess.spawnSync(own, ['-v']).status === 0) return;
  fs.unlinkSync(own);
  say('the Node that came with the dependencies does not run here; using the one of the system');
}

function setUpPackages() {
  if (isReady()) return;
  const release = acquireCheckoutLock(ROOT, 'setup', say);
  if (!isReady()) {
    const version = scriptsNode();
    const nodeServes = BRINGS_OWN_NODE
      ? version !== undefined && version[0] === OWN_MAJOR
      : isNewEnough(version);
    if (!nodeServes || !isInstalled()) install();
    dropUnusableNode();
    requireNode();
  }
  release();
}

/** The last check: the scripts' Node is the right one, or one line says what to do. Leaves the stamp. */
function requireNode() {
  const version = scriptsNode();
  if (!isNewEnough(version)) {
    const found = version === undefined ? 'none' : version.join('.');
    fail(
      'Holdfast needs Node ' +
        OWN_MAJOR +
        ' (' +
        OLDEST.join('.') +
        ' at least) and this system has ' +
        found +
        '; install Node ' +
        OWN_MAJOR +
        ' (https://nodejs.org) and run the command again',
    );
  }
  const whose = version[0] === OWN_MAJOR ? 'own' : 'system';
  fs.mkdirSync(MODULES, { recursive: true });
  fs.writeFileSync(STAMP, fingerprint() + ' ' + whose + '\n');
}

/** What Debian's packages ask before they start the service they bring (see invoke-rc.d(8)); 101 says: not now. */
const SERVICE_POLICY = '/usr/sbin/policy-rc.d';

/** The tests start what they need themselves: a proxy that listens on port 80 of this machine is not what was asked for. */
function withoutServices(work) {
  if (fs.existsSync(SERVICE_POLICY)) return work();
  // A Ctrl-C ends the installation, and this process only after it has put things back.
  function stay() {}
  process.on('SIGINT', stay);
  process.on('SIGTERM', stay);
  fs.writeFileSync(SERVICE_POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    return work();
  } finally {
    fs.unlinkSync(SERVICE_POLICY);
    process.removeListener('SIGINT', stay);
    process.removeListener('SIGTERM', stay);
  }
}

function aptInstall(packages) {
  const environment = Object.assign({}, process.env, { DEBIAN_FRONTEND: 'noninteractive' });
  function apt(options) {
    return (
      childProcess.spawnSync('apt-get', options, { env: environment, stdio: ['ignore', 'ignore', 2] })
        .status === 0
    );
  }
  const install = ['install', '-y', '-q', '--no-install-recommends'].concat(packages);
  // A machine's package lists are often missing or old; refreshing them is only worth its time then.
  return apt(install) || (apt(['update', '-q']) && apt(install));
}

function setUpTestPrograms() {
  function missing() {
    return TEST_PROGRAMS.filter(function (program) {
      return program.find() === undefined;
    });
  }
  let lacking = missing();
  if (lacking.length === 0) return;
  if (process.env.CHROMIUM_PATH && findChromium() === undefined) {
    fail('CHROMIUM_PATH is ' + process.env.CHROMIUM_PATH + ', which is not a program; mend or unset it');
  }
  const isRoot = typeof process.getuid === 'function' && process.getuid() === 0;
  if (isRoot && fs.existsSync('/usr/bin/apt-get')) {
    const packages = lacking.map(function (program) {
      return program.debianPackage;
    });
    const release = acquireCheckoutLock(ROOT, 'setup', say);
    say('installing what the tests need of the system: ' + packages.join(', '));
    withoutServices(function () {
      aptInstall(packages);
    });
    release();
    lacking = missing();
  }
  if (lacking.length === 0) return;
  const remedies = lacking.map(function (program) {
    return program.name + ' was not found: ' + program.remedy;
  });
  fail('the tests need more of this system: ' + remedies.join('; '));
}

setUpPackages();
if (process.argv[2] === 'test') setUpTestPrograms();
