import { readdirSync, readFileSync } from 'node:fs';

/** Memory of a process and of all that it started, in MiB; Linux only. */
export function memoryOf(pid) {
  let kib = 0;
  for (const id of familyOf(pid)) {
    try {
      // Pss: what several processes share is counted once.
      kib += Number(
        /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${id}/smaps_rollup`, 'utf8'))?.[1] ?? 0,
      );
    } catch {
      // It has ended meanwhile.
    }
  }
  return Math.round(kib / 1024);
}

function familyOf(pid) {
  const parents = new Map();
  for (const id of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${id}/stat`, 'utf8');
      parents.set(Number(id), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // As above.
    }
  }
  const family = new Set([pid]);
  for (let grew = true; grew;) {
    const before = family.size;
    for (const [id, parent] of parents) if (family.has(parent)) family.add(id);
    grew = family.size > before;
  }
  return family;
}
