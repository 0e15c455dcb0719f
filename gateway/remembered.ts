/**
 * Remembers under a name that something was proved, so that it is not proved again each time; what failed is tried again.
 * The name says everything that the proof depends on.
 */
export function remembering(
  max: number,
): (name: string, prove: () => Promise<boolean>) => Promise<boolean> {
  const proved = new Set<string>();
  return async (name, prove) => {
    if (proved.has(name)) return true;
    if (!(await prove())) return false;
    if (proved.size >= max) proved.clear();
    proved.add(name);
    return true;
  };
}
