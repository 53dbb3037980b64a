/**
 * Makes the project ready to run on a machine that has Node, npm and a C++ toolchain: node modules, Redis, the
 * build. What is there already is left alone, so this can stand before every command. Plain Node, because it
 * runs before anything is installed; old syntax where a Node too old has to be able to read it.
 *
 * `--tests` adds what the tests need: a Redis of their own whatever REDIS_URL says, and a browser; and what some of
 * them use where it is there.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { browserPath } from './browser.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

function give(what) {
  console.error(what);
  process.exit(1);
}

function run(command, args, options) {
  const ended = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  return ended.status === 0;
}

function onPath(program, more = '') {
  return `${process.env.PATH || ''}${delimiter}${more}`.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function checkNode() {
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const [major, minor] = engines.node.replace('>=', '').split('.').map(Number);
  const [ownMajor, ownMinor] = process.versions.node.split('.').map(Number);
  if (ownMajor > major || (ownMajor === major && ownMinor >= minor)) return;
  give(
    `This is Node ${process.versions.node}; Drover needs ${major}.${minor} or newer.\n` +
      'Install it from https://nodejs.org or with your version manager (.nvmrc names the version).',
  );
}

/** Whether node_modules holds what package-lock.json asks for; npm keeps its own record of what it installed. */
function modulesAreCurrent() {
  const record = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(record)) return false;
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages;
  return Object.keys(wanted).every((path) => {
    // The root is the project itself; an optional package may be for another kind of machine.
    if (path === '' || (wanted[path].optional && !installed[path])) return true;
    return installed[path] !== undefined && installed[path].version === wanted[path].version;
  });
}

function installModules() {
  if (modulesAreCurrent()) return;
  console.log('Installing node modules (npm ci)');
  const quiet = ['--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  if (!run('npm', ['ci', ...quiet])) give('npm ci failed; its messages are above.');
}

function sqliteLoads() {
  try {
    const Database = createRequire(import.meta.url)('better-sqlite3');
    new Database(':memory:').close();
    return true;
  } catch {
    return false;
  }
}

function proveSqlite() {
  if (sqliteLoads()) return;
  console.log('Building better-sqlite3 for this machine (npm rebuild better-sqlite3)');
  if (run('npm', ['rebuild', 'better-sqlite3', '--loglevel=error']) && sqliteLoads()) return;
  give(
    'better-sqlite3, which keeps the log, could not be built; the messages are above.\n' +
      'It needs Python 3 and a C++ toolchain: `apt-get install build-essential python3` on Debian and Ubuntu,\n' +
      '`xcode-select --install` on macOS. Then run this again.',
  );
}

/** As root. A package would start a service of its own, on a port that may be taken: it is kept from it. */
const APT_INSTALL = `
set -e
export DEBIAN_FRONTEND=noninteractive
units=/lib/systemd/system
fresh=
for service in redis-server valkey-server ssh; do
  [ -e $units/$service.service ] || fresh="$fresh $service"
done
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap 'rm -f $policy' EXIT
  trap 'exit 1' HUP INT TERM
  printf '#!/bin/sh\\nexit 101\\n' > $policy
  chmod 755 $policy
fi
get() {
  for package in "$@"; do
    apt-get install -qq -y --no-install-recommends "$package" && return
  done
  return 1
}
get "$@" >/dev/null 2>&1 || { apt-get update -qq && get "$@" >/dev/null; }
if [ -d /run/systemd/system ]; then
  for service in $fresh; do systemctl disable --quiet $service 2>/dev/null || true; done
fi
`;

/** Tries apt-get, then brew where it has it; of `packages` the first that can be had is enough. */
function install(name, packages, brewArguments) {
  const isRoot = process.getuid && process.getuid() === 0;
  if (onPath('apt-get') && (isRoot || onPath('sudo'))) {
    console.log(
      `Installing ${name} (apt-get install ${packages[0]}${isRoot ? '' : ', with sudo'}); no service is started`,
    );
    // Without a terminal nobody could type a password.
    const sudo = isRoot ? [] : process.stdin.isTTY ? ['sudo'] : ['sudo', '-n'];
    const [command, ...args] = [...sudo, 'sh', '-c', APT_INSTALL, 'sh', ...packages];
    run(command, args);
  } else if (brewArguments && onPath('brew')) {
    console.log(
      `Installing ${name} (brew install ${brewArguments.join(' ')}); no service is started`,
    );
    run('brew', ['install', '--quiet', ...brewArguments]);
  }
}

function installRedis() {
  const there = () => onPath('redis-server') || onPath('valkey-server');
  if ((process.env.REDIS_URL && !forTests) || there()) return;
  install('Redis', ['redis-server', 'valkey-server'], ['redis']);
  if (there()) return;
  give(
    'Drover needs Redis 6.2 or newer, or Valkey, and there is none: neither redis-server nor valkey-server is on PATH,\n' +
      'and it could not be installed with apt-get or brew. Do one of these, then run this again:\n' +
      '  install it      apt-get install redis-server, dnf install valkey, apk add redis, brew install redis\n' +
      '  in a container  docker compose up -d redis, and export REDIS_URL=redis://127.0.0.1:6379\n' +
      '  elsewhere       export REDIS_URL=redis://user:password@host:6379',
  );
}

function installBrowser() {
  if (browserPath()) return;
  install('Chromium', ['chromium', 'chromium-browser'], ['--cask', 'chromium']);
  if (browserPath()) return;
  give(
    'The tests need Chromium or Chrome, and there is none; it could not be installed with apt-get or brew.\n' +
      'Install one, or set CHROMIUM_PATH to its program, then run this again.',
  );
}

/** Each test that uses one of them is skipped by name, with the reason, where it is missing or may not be used. */
const SERVES_TESTS = [
  { name: 'bubblewrap', program: 'bwrap', packages: ['bubblewrap'] },
  { name: 'git-lfs', program: 'git-lfs', packages: ['git-lfs'], brewArguments: ['git-lfs'] },
  { name: 'an ssh server', program: 'sshd', packages: ['openssh-server'] },
];

function installWhatServesTests() {
  for (const { name, program, packages, brewArguments } of SERVES_TESTS) {
    // Where servers are, which a user's PATH may leave out.
    const there = () => onPath(program, '/usr/sbin');
    if (there()) continue;
    install(name, packages, brewArguments);
    if (!there()) console.log(`There is no ${program}: tests that use it are skipped.`);
  }
}

const forTests = process.argv.includes('--tests');
checkNode();
installModules();
proveSqlite();
installRedis();
if (forTests) {
  installBrowser();
  installWhatServesTests();
}
const { build } = await import('./build.mjs');
try {
  if (build()) console.log('Built dist/');
} catch (error) {
  give(error.message);
}
