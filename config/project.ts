import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { CONFIG_FILE } from './config-file.js';

/** The nearest folder upwards that holds our configuration file or a package.json; else the folder itself. */
export function projectFolder(cwd: string): string {
  const start = path.resolve(cwd);
  let folder = start;
  for (;;) {
    const here = folder;
    if ([CONFIG_FILE, 'package.json'].some((name) => existsSync(path.join(here, name))))
      return here;
    const parent = path.dirname(here);
    if (parent === here) return start;
    folder = parent;
  }
}

/** Readable, and different for two checkouts that bear the same name: they must not share money or keys. */
export function projectName(folder: string): string {
  const name = path
    .basename(folder)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  const id = createHash('sha256').update(folder).digest('hex').slice(0, 8);
  return `${name === '' ? 'project' : name.slice(0, 40)}-${id}`;
}
