'use strict';
// One at a time: two npm commands started together in one checkout must not install or build over each other.
// A directory is the lock, because making one is atomic everywhere. Plain old JavaScript: see setup.cjs.

const fs = require('fs');
const os = require('os');
const path = require('path');

const POLL_MS = 200;
/** A lock without a readable owner is between two system calls of its owner, or was left by one that died there. */
const OWNERLESS_STALE_MS = 10 * 1000;
/** No install and no build takes this long; covers owners on another host and process ids used again. */
const STALE_MS = 20 * 60 * 1000;

function sleep(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function readOwner(directory) {
  try {
    return JSON.parse(fs.readFileSync(path.join(directory, 'owner'), 'utf8'));
  } catch {
    return undefined; // gone, or not written yet: its age decides
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function isStale(directory) {
  let ageMs;
  try {
    ageMs = Date.now() - fs.statSync(directory).mtimeMs;
  } catch {
    return false; // released meanwhile
  }
  const owner = readOwner(directory);
  if (owner === undefined) return ageMs > OWNERLESS_STALE_MS;
  return ageMs > STALE_MS || (owner.host === os.hostname() && !isAlive(owner.pid));
}

function remove(directory) {
  // Renamed first: of two that find the same stale lock only one gets it.
  const doomed = directory + '.' + process.pid;
  try {
    fs.renameSync(directory, doomed);
  } catch {
    return; // another one was faster
  }
  try {
    fs.unlinkSync(path.join(doomed, 'owner'));
  } catch {
    // it had none
  }
  fs.rmdirSync(doomed);
}

function tryAcquire(directory) {
  try {
    fs.mkdirSync(directory);
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
  fs.writeFileSync(path.join(directory, 'owner'), JSON.stringify({ pid: process.pid, host: os.hostname() }));
  return true;
}

/**
 * Waits until this process holds the lock `name` of the checkout and returns the function that releases it.
 * It is released at the latest when the process exits; one whose process died is taken over.
 */
function acquireCheckoutLock(root, name, say) {
  const directory = path.join(root, '.cache', name + '.lock');
  fs.mkdirSync(path.dirname(directory), { recursive: true });
  let said = false;
  while (!tryAcquire(directory)) {
    if (isStale(directory)) {
      remove(directory);
      continue;
    }
    if (!said) say('another command is at it in this checkout (' + name + '), waiting for it');
    said = true;
    sleep(POLL_MS);
  }
  let held = true;
  function release() {
    if (held) remove(directory);
    held = false;
  }
  process.once('exit', release);
  return release;
}

module.exports = { acquireCheckoutLock: acquireCheckoutLock };
