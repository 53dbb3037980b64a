/**
 * Completes package-lock.json after `npm install` through a registry mirror that lacks packages for other kinds of
 * machine: npm leaves those out of the lock file, and `npm ci` then refuses it, everywhere.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const SYSTEMS = /^(?:android|darwin|freebsd|linux|netbsd|openbsd|sunos|aix|openharmony|win32)$/;
const PROCESSORS = /^(?:arm64|x64|ia32|arm|ppc64|riscv64|s390x|loong64|mips64el|wasm32)$/;

const file = fileURLToPath(new URL('../package-lock.json', import.meta.url));
const lock = JSON.parse(readFileSync(file, 'utf8'));
const added = {};
for (const [path, parent] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    // Nearest first, as Node resolves it; packages for one kind of machine are always asked for exactly.
    const known = [`${path}/node_modules/${name}`, `node_modules/${name}`].filter(
      (place) => lock.packages[place] ?? added[place],
    );
    if (known.length > 0 || !/^\d/.test(version)) continue;
    added[`node_modules/${name}`] = entry(name, version, parent.dev);
  }
}
const byPlace = ([one], [other]) => one.localeCompare(other, 'en');
lock.packages = Object.fromEntries(
  Object.entries({ ...lock.packages, ...added }).toSorted(byPlace),
);
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${Object.keys(added).length} added`);

/** Such packages bear the kind of machine in their name; npm installs them on no other. */
function entry(name, version, dev) {
  const words = name.split(/[/-]/);
  const libc = words.find((word) => /^(?:musl|gnu)/.test(word));
  return {
    version,
    cpu: words.filter((word) => PROCESSORS.test(word)),
    ...(dev && { dev }),
    ...(libc && { libc: [libc.startsWith('musl') ? 'musl' : 'glibc'] }),
    optional: true,
    os: words.filter((word) => SYSTEMS.test(word)),
  };
}
